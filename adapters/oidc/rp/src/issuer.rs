//! Who may have issued a token, as products have it.

use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::jwk::PublicJwk;
use serde_json::{Map, Value};

use crate::checks::{Checked, refuse, require};
use crate::claims;
use crate::metadata::Provider;
use crate::profiles::IssuerStyle;
use crate::settings::{Settings, is_guid, is_of_many};
use crate::token::TokenKind;

/// Where an issuer of many directories has the ID of one.
const PLACEHOLDER: &str = "{tenantid}";

const ENTRA: &str = "Microsoft identity platform: claims validation";

/// How `iss` is compared.
#[derive(Debug, Clone, Copy)]
pub enum IssuerRule<'a> {
    /// Octet by octet (OpenID Connect Core 3.1.3.7, 2).
    Exact(&'a str),
    /// Google's tokens may leave the scheme out.
    Google(&'a str),
    /// One directory of Microsoft Entra ID, or several: `tid` must be listed, where a list is given.
    Entra { issuer: &'a str, tenants: &'a [String] },
}

impl<'a> IssuerRule<'a> {
    pub fn of(settings: &'a Settings, provider: &'a Provider) -> Self {
        match settings.profile.issuer {
            IssuerStyle::Exact => Self::Exact(&provider.issuer),
            IssuerStyle::Google => Self::Google(&provider.issuer),
            IssuerStyle::Entra => Self::Entra { issuer: &provider.issuer, tenants: &settings.tenants },
        }
    }

    pub fn expected(&self) -> &'a str {
        match self {
            Self::Exact(issuer) | Self::Google(issuer) | Self::Entra { issuer, .. } => issuer,
        }
    }

    /// Whether the parameter `iss` of an answer may have this value. There is no `tid` beside it.
    pub fn admits(&self, iss: &str) -> bool {
        match self {
            Self::Exact(issuer) => iss == *issuer,
            Self::Google(issuer) => iss == *issuer || is_without_scheme(issuer, iss),
            Self::Entra { issuer, tenants } => match issuer.split_once(PLACEHOLDER) {
                None => iss == *issuer,
                Some((before, after)) => {
                    let tenant = iss.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                    tenant.is_some_and(|tenant| is_guid(tenant) && listed(tenants, tenant))
                }
            },
        }
    }

    /// Checks `iss`, and what products say beside it about who issued.
    pub fn check(&self, kind: TokenKind, claims: &Map<String, Value>, trace: &mut TraceLog) -> Checked<()> {
        let name = kind.name("iss");
        let iss = match claims::text(claims, "iss") {
            Ok(Some(iss)) => iss,
            Ok(None) => return refuse(trace, &name, kind.source(2), self.expected(), "none"),
            Err(why) => return refuse(trace, &name, kind.source(2), self.expected(), why.to_string()),
        };
        match self {
            Self::Exact(_) | Self::Google(_) => {
                require(trace, &name, kind.source(2), self.expected(), iss, self.admits(iss))
            }
            Self::Entra { issuer, tenants } => entra(kind, issuer, tenants, iss, claims, trace),
        }
    }

    /// A key that a set publishes for certain issuers signs for no other: personal accounts have keys of their own
    /// in the set that all directories share.
    pub fn check_key(&self, kind: TokenKind, key: &PublicJwk, iss: &str, trace: &mut TraceLog) -> Checked<()> {
        let (Self::Entra { .. }, Some(bound)) = (self, key.issuer()) else { return Ok(()) };
        let suits = match bound.split_once(PLACEHOLDER) {
            None => iss == bound,
            Some((before, after)) => {
                iss.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).is_some_and(is_guid)
            }
        };
        require(trace, &kind.name("key's issuer"), ENTRA, bound, iss, suits)
    }
}

fn is_without_scheme(issuer: &str, iss: &str) -> bool {
    issuer.strip_prefix("https://").is_some_and(|short| short == iss)
}

fn listed(tenants: &[String], tenant: &str) -> bool {
    tenants.is_empty() || tenants.iter().any(|listed| listed.eq_ignore_ascii_case(tenant))
}

fn entra(
    kind: TokenKind,
    issuer: &str,
    tenants: &[String],
    iss: &str,
    claims: &Map<String, Value>,
    trace: &mut TraceLog,
) -> Checked<()> {
    let v1 = |text: &str| text.starts_with("https://sts.windows.net/");
    if v1(iss) != v1(issuer) {
        let expected = if v1(issuer) { "one of version 1" } else { "one of version 2" };
        let actual = if v1(iss) {
            "one of version 1: set accessTokenAcceptedVersion, or use the issuer without /v2.0"
        } else {
            "one of version 2: the issuer of the connection must end in /v2.0"
        };
        return refuse(trace, &kind.name("version of the token"), ENTRA, expected, actual);
    }
    let of_many = issuer.contains(PLACEHOLDER);
    if !of_many && tenants.is_empty() {
        return require(trace, &kind.name("iss"), kind.source(2), issuer, iss, iss == issuer);
    }
    let tid = match claims::text(claims, "tid") {
        Ok(Some(tid)) if is_guid(tid) => tid,
        Ok(Some(_)) => return refuse(trace, &kind.name("tid"), ENTRA, "the ID of a directory", "something else"),
        Ok(None) => return refuse(trace, &kind.name("tid"), ENTRA, "the ID of a directory", "none"),
        Err(why) => return refuse(trace, &kind.name("tid"), ENTRA, "the ID of a directory", why.to_string()),
    };
    let expected = issuer.replace(PLACEHOLDER, tid);
    require(trace, &kind.name("iss"), kind.source(2), expected.as_str(), iss, iss == expected)?;
    let wanted = if tenants.is_empty() { "any directory".to_owned() } else { tenants.join(", ") };
    require(trace, &kind.name("tenants"), ENTRA, wanted, tid, listed(tenants, tid))
}

/// Whether people of several directories come through this issuer.
pub fn several(settings: &Settings) -> bool {
    is_of_many(&settings.issuer) && settings.tenants.len() != 1
}
