//! What products do their own way, as data. A setting of the connection always wins over its flavor.

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Flavor {
    /// The word that `flavor:` takes.
    pub name: &'static str,
    /// The product, as a sentence says it.
    pub product: &'static str,
    /// The filters that find a person, where the connection has none: by what was typed, by `user@domain`, and by the
    /// name behind `DOMAIN\`.
    pub filter: &'static str,
    pub filter_by_principal: &'static str,
    pub filter_by_account: &'static str,
    /// Attributes that stay with a person through renames and moves; the first that an entry has is its key.
    pub keys: &'static [&'static str],
    /// Attributes of a person that name groups by their DN.
    pub membership: &'static [&'static str],
    /// How groups are found where the connection does not say.
    pub groups: AutomaticGroups,
    /// A group that no attribute of the person names: its identifier stands in `primaryGroupID`.
    pub primary_group: bool,
    /// Attributes that can say that somebody may not log in.
    pub state: &'static [&'static str],
    /// What mappings usually read.
    pub usual: &'static [&'static str],
    /// Operational attributes that a search gives by name alone, and mappings use.
    pub operational: &'static [&'static str],
    pub password_change: PasswordChange,
    /// Whoever is not bound sees nothing.
    pub needs_an_account: bool,
    /// How a sync finds what changed, where the connection does not say.
    pub sync: SyncMethod,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutomaticGroups {
    /// The server works them out (`tokenGroups`).
    Token,
    /// The person's entry names them, and they name the person.
    Membership,
}

/// How a password is set with the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordChange {
    /// RFC 3062.
    Extended,
    /// `unicodePwd` (MS-ADTS section 3.1.1.3.1.5).
    UnicodePwd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncMethod {
    Usn,
    DirSync,
    SyncRepl,
    ModifyTimestamp,
    Keys,
}

/// A directory of no known kind; the others differ from it.
const GENERIC: Flavor = Flavor {
    name: "generic",
    product: "a directory",
    filter: "(uid={username})",
    filter_by_principal: "(mail={username})",
    filter_by_account: "(uid={username})",
    // RFC 4530; 389 Directory Server; FreeIPA; eDirectory.
    keys: &["entryUUID", "nsUniqueId", "ipaUniqueID", "GUID"],
    membership: &["memberOf", "isMemberOf", "groupMembership"],
    groups: AutomaticGroups::Membership,
    primary_group: false,
    state: &[
        "pwdAccountLockedTime",
        "nsAccountLock",
        "shadowExpire",
        "loginDisabled",
        "lockedByIntruder",
        "loginExpirationTime",
        "krbPrincipalExpiration",
        "ds-pwp-account-disabled",
    ],
    usual: &[
        "uid",
        "cn",
        "sn",
        "givenName",
        "displayName",
        "mail",
        "telephoneNumber",
        "mobile",
        "preferredLanguage",
        "labeledURI",
        "uidNumber",
        "gidNumber",
        "homeDirectory",
        "loginShell",
    ],
    operational: &["createTimestamp", "modifyTimestamp"],
    password_change: PasswordChange::Extended,
    needs_an_account: false,
    sync: SyncMethod::ModifyTimestamp,
};

pub const FLAVORS: &[Flavor] = &[
    GENERIC,
    Flavor {
        name: "openldap",
        product: "OpenLDAP",
        keys: &["entryUUID"],
        membership: &["memberOf"],
        state: &["pwdAccountLockedTime", "shadowExpire"],
        sync: SyncMethod::SyncRepl,
        ..GENERIC
    },
    Flavor {
        name: "active_directory",
        product: "Active Directory",
        filter: "(sAMAccountName={username})",
        // A name without an explicit userPrincipalName is one too (MS-ADTS section 5.1.1.1.1).
        filter_by_principal: "(|(userPrincipalName={username})(sAMAccountName={local}))",
        filter_by_account: "(sAMAccountName={username})",
        keys: &["objectGUID"],
        membership: &["memberOf"],
        groups: AutomaticGroups::Token,
        primary_group: true,
        state: &["userAccountControl", "msDS-User-Account-Control-Computed", "accountExpires"],
        usual: &[
            "sAMAccountName",
            "userPrincipalName",
            "cn",
            "sn",
            "givenName",
            "middleName",
            "displayName",
            "mail",
            "telephoneNumber",
            "mobile",
            "preferredLanguage",
            "wWWHomePage",
            "uidNumber",
            "gidNumber",
            "unixHomeDirectory",
            "loginShell",
        ],
        operational: &[],
        password_change: PasswordChange::UnicodePwd,
        needs_an_account: true,
        sync: SyncMethod::Usn,
    },
];

impl Flavor {
    pub fn named(name: &str) -> Option<&'static Self> {
        FLAVORS.iter().find(|flavor| flavor.name == name)
    }

    pub fn is_active_directory(&self) -> bool {
        self.password_change == PasswordChange::UnicodePwd
    }
}
