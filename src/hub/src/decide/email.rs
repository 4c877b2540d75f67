//! When an e-mail address counts as verified.

use fedbridge_contract::claims::Claims;
use serde_json::Value;

/// Sets `email_verified` for the address that is in `claims` now, and for no other.
///
/// It is true only where the address's domain is one of the connection's. What
/// the upstream or a rule says about it can lower it and never raise it; without
/// an address there is no such claim.
pub(super) fn settle(claims: &mut Claims, domains: &[String]) {
    let Some(email) = claims.text("email") else {
        claims.0.remove("email_verified");
        return;
    };
    let lowered = claims.get("email_verified") == Some(&Value::Bool(false));
    let verified = !lowered && owns(domains, email);
    claims.set("email_verified", Value::Bool(verified));
}

/// Whether the address is plainly `local@domain` with one of these domains.
/// Quoted local parts, comments and address literals never are.
fn owns(domains: &[String], email: &str) -> bool {
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
