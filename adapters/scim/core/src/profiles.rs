//! What products do in their own way, as data. What is harmless whoever sends it is taken from everybody and has no
//! place here: booleans as texts, single values where a list belongs, dotted names and URNs inside the value of an
//! operation without a path, removal by a list of values, operations in any case.

/// A product that pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// The word that the bridge file takes.
    pub name: &'static str,
    /// Microsoft Entra ID replaces `emails[type eq "work"].value` of somebody who has no such value, and expects it to
    /// be made of the filter. RFC 7644 section 3.5.2.3 wants `noTarget`.
    pub creates_missing_target: bool,
    pub group_patch: GroupPatch,
    /// Entra ID matches groups by their name, so two with one name would be one to it.
    pub unique_group_names: bool,
}

/// What answers a PATCH of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupPatch {
    /// 204: Entra ID wants it, and a group may be large.
    NoContent,
    /// 200 with the group.
    Body,
}

impl Profile {
    pub const GENERIC: Self = Self {
        name: "generic",
        creates_missing_target: false,
        group_patch: GroupPatch::Body,
        unique_group_names: false,
    };
    pub const ENTRA: Self = Self {
        name: "entra",
        creates_missing_target: true,
        group_patch: GroupPatch::NoContent,
        unique_group_names: true,
    };
    pub const OKTA: Self = Self {
        name: "okta",
        creates_missing_target: false,
        group_patch: GroupPatch::NoContent,
        unique_group_names: false,
    };
    pub const ALL: [Self; 3] = [Self::GENERIC, Self::ENTRA, Self::OKTA];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }
}
