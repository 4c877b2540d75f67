//! When an e-mail address counts as verified.

use fedbridge_contract::claims::Claims;
use serde_json::Value;

/// Sets `email_verified` for the address that is in `claims` now, and for no other.
///
/// It is true only where the address's domain is one of the connection's. What
/// the upstream or a rule says about it can lower it (`lowered`) and never raise
/// it; without an address there is no such claim.
///
/// Answers why, for the trace.
pub(super) fn settle(claims: &mut Claims, domains: &[String], lowered: bool) -> Option<String> {
    let Some(email) = claims.text("email") else {
        claims.0.remove("email_verified");
        return None;
    };
    let owned = owns(domains, email);
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
    let why = match (owned, lowered) {
        (true, false) => format!("true: `{domain}` is a domain of this connection"),
        (true, true) => "false: the upstream or a rule says so".to_owned(),
        (false, _) => format!("false: `{domain}` is not a domain of this connection"),
    };
    claims.set("email_verified", Value::Bool(owned && !lowered));
    Some(why)
}

/// Whether a rule or the upstream says that the address is not verified.
pub(super) fn says_no(claims: &Claims) -> bool {
    claims.get("email_verified") == Some(&Value::Bool(false))
}

/// Whether settled claims are unverified by somebody's word, and not by the domain.
pub(super) fn was_lowered(claims: &Claims, domains: &[String]) -> bool {
    says_no(claims) && claims.text("email").is_some_and(|email| owns(domains, email))
}

/// Whether the address is plainly `local@domain` with one of these domains.
/// Quoted local parts, comments and address literals never are.
pub(crate) fn owns(domains: &[String], email: &str) -> bool {
    let Some((local, domain)) = email.split_once('@') else { return false };
    let odd = |c: char| c == '@' || c == '"' || c == '<' || c == '>' || c.is_whitespace() || c.is_control();
    !local.is_empty()
        && !domain.is_empty()
        && !email.replacen('@', "", 1).contains(odd)
        && domains.iter().any(|owned| owned.eq_ignore_ascii_case(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owns_only_plain_addresses_of_its_domains() {
        let domains = vec!["acme.example".to_owned()];
        for email in ["eve@acme.example", "Eve@ACME.example"] {
            assert!(owns(&domains, email), "{email}");
        }
        for email in [
            "eve@other.example",
            "eve@sub.acme.example",
            "eve@acme.example.evil.example",
            "eve@evil.example@acme.example",
            "\"a@b\"@acme.example",
            "@acme.example",
            "acme.example",
            "eve@acme.example ",
            "<eve@acme.example",
            "eve@acme.example.",
            "",
        ] {
            assert!(!owns(&domains, email), "{email}");
        }
    }
}
