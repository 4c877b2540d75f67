//! What must be signed (SAML profiles 4.1.4.5, tightened by the connection).

use crate::settings::RequireSigned;

/// Which signatures were there and verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signed {
    pub response: bool,
    pub assertion: bool,
}

impl Signed {
    pub fn text(self) -> &'static str {
        match (self.response, self.assertion) {
            (true, true) => "response and assertion",
            (true, false) => "response",
            (false, true) => "assertion",
            (false, false) => "nothing",
        }
    }
}

/// Whether this is enough. With nothing signed it never is.
pub(super) fn satisfies(policy: RequireSigned, signed: Signed) -> bool {
    match policy {
        RequireSigned::Assertion => signed.assertion,
        RequireSigned::Response => signed.response,
        RequireSigned::Both => signed.assertion && signed.response,
        RequireSigned::Either => signed.assertion || signed.response,
    }
}

pub(super) fn text(policy: RequireSigned) -> &'static str {
    match policy {
        RequireSigned::Assertion => "assertion",
        RequireSigned::Response => "response",
        RequireSigned::Both => "response and assertion",
        RequireSigned::Either => "response or assertion",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrix_of_policies_and_signings() {
        let signings = [(false, false), (true, false), (false, true), (true, true)]
            .map(|(response, assertion)| Signed { response, assertion });
        for (policy, wanted) in [
            (RequireSigned::Either, [false, true, true, true]),
            (RequireSigned::Response, [false, true, false, true]),
            (RequireSigned::Assertion, [false, false, true, true]),
            (RequireSigned::Both, [false, false, false, true]),
        ] {
            assert_eq!(signings.map(|signed| satisfies(policy, signed)), wanted, "{policy:?}");
        }
    }
}
