//! One attribute with its characteristics (RFC 7643 section 2.2).

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    String,
    Boolean,
    Decimal,
    Integer,
    DateTime,
    Binary,
    Reference,
    Complex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    ReadOnly,
    ReadWrite,
    /// It may be given once.
    Immutable,
    WriteOnly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    Always,
    Never,
    Default,
    /// Only where a request names it.
    Request,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    None,
    /// In the endpoint.
    Server,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    pub name: String,
    pub kind: Kind,
    pub multi_valued: bool,
    pub required: bool,
    pub case_exact: bool,
    pub mutability: Mutability,
    pub returned: Returned,
    pub uniqueness: Uniqueness,
    /// Words that are usual; others are taken too.
    pub canonical_values: &'static [&'static str],
    pub reference_types: &'static [&'static str],
    pub description: String,
    pub sub_attributes: Vec<Attribute>,
}

impl Attribute {
    /// Optional, single-valued, read and written by clients, compared without case.
    pub fn new(name: &str, kind: Kind, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            multi_valued: false,
            required: false,
            // RFC 7643 sections 2.3.6 and 2.3.7: what is not text is compared as it stands.
            case_exact: matches!(kind, Kind::Binary | Kind::Reference),
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            canonical_values: &[],
            reference_types: &[],
            description: description.to_owned(),
            sub_attributes: Vec::new(),
        }
    }

    pub fn sub(&self, name: &str) -> Option<&Self> {
        self.sub_attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }

    /// The sub-attribute that stands for the whole value where a simple one is meant (RFC 7643 section 2.4).
    pub fn default_sub(&self) -> Option<&Self> {
        if self.kind == Kind::Complex { self.sub("value") } else { None }
    }

    #[must_use]
    pub fn many(self) -> Self {
        Self { multi_valued: true, ..self }
    }

    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    #[must_use]
    pub fn exact(self) -> Self {
        Self { case_exact: true, ..self }
    }

    #[must_use]
    pub fn unique(self) -> Self {
        Self { uniqueness: Uniqueness::Server, ..self }
    }

    /// Shown where a request names it.
    #[must_use]
    pub fn on_request(self) -> Self {
        Self { returned: Returned::Request, ..self }
    }

    #[must_use]
    pub fn read_only(self) -> Self {
        Self { mutability: Mutability::ReadOnly, ..self }
    }

    #[must_use]
    pub fn immutable(self) -> Self {
        Self { mutability: Mutability::Immutable, ..self }
    }

    #[must_use]
    pub fn returned(self, returned: Returned) -> Self {
        Self { returned, ..self }
    }

    #[must_use]
    pub fn write_only(self) -> Self {
        Self { mutability: Mutability::WriteOnly, returned: Returned::Never, ..self }
    }

    #[must_use]
    pub fn words(self, canonical_values: &'static [&'static str]) -> Self {
        Self { canonical_values, ..self }
    }

    #[must_use]
    pub fn refers_to(self, reference_types: &'static [&'static str]) -> Self {
        Self { reference_types, ..self }
    }

    #[must_use]
    pub fn with(self, sub_attributes: Vec<Self>) -> Self {
        Self { sub_attributes, ..self }
    }
}
