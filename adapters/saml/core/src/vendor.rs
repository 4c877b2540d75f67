//! Identity provider products that are known by their metadata, what each is known for, and the settings
//! that fit it. Data for people: nothing here changes what a connection does.

use url::Url;

use crate::metadata::IdpDescription;

/// A product.
#[derive(Debug)]
pub struct Vendor {
    pub name: &'static str,
    /// Sentences for whoever sets up a connection to it.
    pub known_for: &'static [&'static str],
    pub fits: &'static [Fit],
    signs: fn(&Signs<'_>) -> bool,
}

/// A setting that fits a product better than the default.
#[derive(Debug)]
pub struct Fit {
    pub setting: Setting,
    /// As a bridge file has it.
    pub value: &'static str,
    /// Goes on after "because".
    pub why: &'static str,
}

/// Settings of a connection that advice is given about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    Issuers,
    Logout,
    SignRequests,
    Subject,
}

impl Setting {
    /// Its name in a bridge file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Issuers => "issuers",
            Self::Logout => "logout",
            Self::SignRequests => "sign_requests",
            Self::Subject => "subject",
        }
    }
}

impl Vendor {
    /// The product behind a provider, where its names and addresses give it away.
    pub fn of(idp: &IdpDescription) -> Option<&'static Self> {
        let sso: Vec<&Url> = idp.sso.iter().map(|endpoint| &endpoint.location).collect();
        let signs = Signs { entity_id: &idp.entity_id, sso: &sso };
        VENDORS.iter().find(|vendor| (vendor.signs)(&signs))
    }
}

/// What a product is known by.
struct Signs<'a> {
    entity_id: &'a str,
    sso: &'a [&'a Url],
}

impl Signs<'_> {
    fn host(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.sso.iter().any(|location| location.host_str().is_some_and(&fits))
    }

    fn path(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.sso.iter().any(|location| fits(location.path()))
    }
}

const VENDORS: &[Vendor] = &[
    Vendor {
        name: "Okta",
        known_for: &[
            "The entity ID is a name, not an address to fetch metadata from.",
            "A new certificate is inactive until somebody activates it: keep both in the metadata.",
            "The bridge's certificate must be uploaded there for signed requests, logout and encryption.",
        ],
        fits: &[],
        signs: |idp| {
            let host =
                |host: &str| [".okta.com", ".oktapreview.com", ".okta-emea.com"].iter().any(|end| host.ends_with(end));
            idp.entity_id.starts_with("http://www.okta.com/") || idp.host(host)
        },
    },
    Vendor {
        name: "Microsoft Entra ID",
        known_for: &[
            "The app has a key of its own: the metadata address needs appid=.",
            "RequestedAuthnContext must be exact; a Subject in the request fails there.",
            "Logout goes by redirect alone, and its messages may name another Issuer: see issuers.",
        ],
        fits: &[Fit {
            setting: Setting::Issuers,
            value: "[\"https://login.microsoftonline.com/TENANT-ID/\"]",
            why: "its logout messages may come under that name",
        }],
        signs: |idp| {
            let hosts = ["login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"];
            idp.entity_id.starts_with("https://sts.windows.net/") || idp.host(|host| hosts.contains(&host))
        },
    },
    Vendor {
        name: "AD FS",
        known_for: &[
            "It refuses unsigned logout messages, and compares the NameID with all its qualifiers.",
            "The secure hash algorithm of the trust there must be SHA-256.",
            "Its certificates roll over each year by themselves: leave refresh on.",
            "There is a NameID only if a claim rule makes one.",
        ],
        fits: &[],
        signs: |idp| idp.entity_id.ends_with("/adfs/services/trust") || idp.path(|path| path.starts_with("/adfs/ls")),
    },
    Vendor {
        name: "Google Workspace",
        known_for: &[
            "There is no single logout.",
            "Assertion consumer address and entity ID are compared exactly there.",
            "Two certificates at most, changed by hand: there is no lasting metadata address.",
        ],
        fits: &[Fit { setting: Setting::Logout, value: "false", why: "it has no single logout" }],
        signs: |idp| idp.entity_id.starts_with("https://accounts.google.com/o/saml2"),
    },
    Vendor {
        name: "Keycloak",
        known_for: &[
            "Client signature required is on by default: import the bridge's metadata there.",
            "Persistent identifiers begin with G-.",
            "Refusals come signed.",
        ],
        fits: &[Fit {
            setting: Setting::SignRequests,
            value: "true",
            why: "Client signature required is on by default there",
        }],
        signs: |idp| idp.path(|path| path.contains("/realms/") && path.ends_with("/protocol/saml")),
    },
    Vendor {
        name: "PingFederate",
        known_for: &[
            "The entity ID may be any text, and virtual servers have entity IDs of their own.",
            "It often signs the response alone.",
            "Logout by SOAP and answers by artifact are common.",
        ],
        fits: &[],
        signs: |idp| idp.path(|path| path.ends_with("/idp/SSO.saml2")),
    },
    Vendor {
        name: "Shibboleth Identity Provider",
        known_for: &[
            "It encrypts by default with AES-GCM and needs the bridge's key for that.",
            "The NameID is transient by default: take the subject from pairwise-id or subject-id.",
            "Attributes are named by OID.",
        ],
        fits: &[Fit {
            setting: Setting::Subject,
            value: "{ from: [\"urn:oasis:names:tc:SAML:attribute:pairwise-id\"] }",
            why: "its NameID is another one each time, unless it is told otherwise",
        }],
        signs: |idp| {
            idp.entity_id.ends_with("/idp/shibboleth") || idp.path(|path| path.contains("/idp/profile/SAML2/"))
        },
    },
    Vendor {
        name: "OneLogin",
        known_for: &[
            "Old apps there still sign with SHA-1: choose SHA-256 in the app's settings.",
            "The validator of the assertion consumer address is a regular expression: escape its dots.",
            "The metadata address has the app's id in it.",
        ],
        fits: &[],
        signs: |idp| {
            idp.entity_id.starts_with("https://app.onelogin.com/saml/metadata/")
                || idp.host(|host| host.ends_with(".onelogin.com"))
        },
    },
    Vendor {
        name: "JumpCloud",
        known_for: &[
            "The entity ID is free text.",
            "The format of the NameID may be one that no standard has.",
            "There is no single logout unless the metadata lists it.",
        ],
        fits: &[Fit { setting: Setting::Logout, value: "false", why: "it has no single logout of its own" }],
        signs: |idp| idp.host(|host| host.starts_with("sso.jumpcloud.")),
    },
];
