//! Tokens that only our own pages hold: a keyed hash of what they are for, as text.

use fedbridge_contract::ids::TenantId;

use super::Hub;

impl Hub {
    /// The token of `what`, in 64 hexadecimal digits. `purpose` keeps it apart from those of other pages.
    pub(super) fn own_token(&self, tenant: TenantId, purpose: &str, what: &[u8]) -> String {
        hexadecimal(&self.services.tokens.mac(tenant, purpose, what))
    }

    /// As [`own_token`](Hub::own_token), half as long: for an address, or a name that hides what it is of.
    pub(super) fn short_token(&self, tenant: TenantId, purpose: &str, what: &[u8]) -> String {
        hexadecimal(&self.services.tokens.mac(tenant, purpose, what)[..16])
    }
}

/// Compares in a time that depends on the length alone.
pub(super) fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_apart() {
        assert_eq!(hexadecimal(&[0, 10, 255]), "000aff");
        assert!(same("", "") && same("00ff", "00ff"));
        for (a, b) in [("00ff", "00fe"), ("00ff", "00ff0"), ("00ff", ""), ("10ff", "00ff"), ("00ff", "00FF")] {
            assert!(!same(a, b), "{a} {b}");
        }
    }
}
