//! How the person authenticated, in SAML's words (SAML core 2.7.2).

use fedbridge_contract::downstream::IssuedIdentity;

use crate::settings::is_uri;

/// SAML authentication context 3.4.25: nothing is said.
const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";

/// Methods of RFC 8176 and what they prove, the strongest first. The REFEDS profile is the one widely
/// known name for several factors.
const METHODS: &[(&str, &str)] = &[
    ("mfa", "https://refeds.org/profile/mfa"),
    ("sc", "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI"),
    ("wia", "urn:oasis:names:tc:SAML:2.0:ac:classes:Kerberos"),
    ("pwd", "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"),
];

/// The class to name. Only what the upstream says counts: its own class, and what its methods prove.
///
/// `None`: none of `wanted` was reached.
pub(crate) fn class(identity: &IssuedIdentity, wanted: &[String]) -> Option<String> {
    let own = identity.acr.as_deref().filter(|acr| is_uri(acr));
    let proven = METHODS.iter().filter(|(method, _)| identity.amr.iter().any(|amr| amr == method));
    let mut reached = own.into_iter().chain(proven.map(|(_, class)| *class));
    if wanted.is_empty() {
        return Some(reached.next().unwrap_or(UNSPECIFIED).to_owned());
    }
    let reached: Vec<&str> = reached.collect();
    wanted.iter().find(|class| reached.contains(&class.as_str())).cloned()
}
