//! What is known of attributes (RFC 7643 section 2): those of users and groups, and what an administrator adds.

mod attribute;
mod builtin;
mod extension;

pub use attribute::{Attribute, Kind, Mutability, Returned, Uniqueness};
pub use extension::{ExtensionAttribute, ExtensionSpec};

pub const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    User,
    Group,
}

impl ResourceKind {
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// `meta.resourceType`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// Where resources of the kind are, relative to the base.
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    pub const fn urn(self) -> &'static str {
        match self {
            Self::User => USER_URN,
            Self::Group => GROUP_URN,
        }
    }
}

/// A schema (RFC 7643 section 7).
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub urn: String,
    pub name: String,
    pub description: String,
    pub attributes: Vec<Attribute>,
}

impl Schema {
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }
}

/// What one endpoint knows.
#[derive(Debug, Clone)]
pub struct Schemas {
    user: Schema,
    group: Schema,
    /// `id`, `externalId`, `schemas` and `meta` (RFC 7643 section 3.1).
    common: Vec<Attribute>,
    user_extensions: Vec<Schema>,
    group_extensions: Vec<Schema>,
}

impl Default for Schemas {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Schemas {
    pub fn new(extensions: &[ExtensionSpec]) -> Self {
        let of = |kind| extensions.iter().filter(move |spec| spec.of == kind).map(ExtensionSpec::schema);
        let mut user_extensions = vec![builtin::enterprise()];
        user_extensions.extend(of(ResourceKind::User));
        Self {
            user: builtin::user(),
            group: builtin::group(),
            common: builtin::common(),
            user_extensions,
            group_extensions: of(ResourceKind::Group).collect(),
        }
    }

    pub fn core(&self, kind: ResourceKind) -> &Schema {
        match kind {
            ResourceKind::User => &self.user,
            ResourceKind::Group => &self.group,
        }
    }

    pub fn extensions(&self, kind: ResourceKind) -> &[Schema] {
        match kind {
            ResourceKind::User => &self.user_extensions,
            ResourceKind::Group => &self.group_extensions,
        }
    }

    pub fn extension(&self, kind: ResourceKind, urn: &str) -> Option<&Schema> {
        self.extensions(kind).iter().find(|schema| schema.urn.eq_ignore_ascii_case(urn))
    }

    /// An attribute of the core schema, or a common one.
    pub fn attribute(&self, kind: ResourceKind, name: &str) -> Option<&Attribute> {
        let common = || self.common.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name));
        self.core(kind).attribute(name).or_else(common)
    }

    pub fn common(&self) -> &[Attribute] {
        &self.common
    }

    /// All of them, each once, for `/Schemas`.
    pub fn all(&self) -> impl Iterator<Item = &Schema> {
        [&self.user, &self.group].into_iter().chain(&self.user_extensions).chain(&self.group_extensions)
    }
}
