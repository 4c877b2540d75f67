//! How operations end (RFC 4511 section 4.1.9, appendix A).

use std::fmt;

use crate::ber::{ENUMERATED, Fields, OCTETS, Tree};
use crate::guard::Malformed;

const REFERRAL: u8 = 0xa3;

/// A result code. An upstream may send one that no RFC has: it stays the number that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u32);

macro_rules! codes {
    ($($name:ident = $number:literal, $word:literal;)*) => {
        impl Code {
            $(pub const $name: Self = Self($number);)*

            /// As RFC 4511 appendix A and its successors write it: `invalidCredentials`. `other` for what nobody
            /// has named.
            pub fn word(self) -> &'static str {
                match self.0 {
                    $($number => $word,)*
                    _ => "other",
                }
            }
        }
    };
}

codes! {
    SUCCESS = 0, "success";
    OPERATIONS = 1, "operationsError";
    PROTOCOL = 2, "protocolError";
    TIME_LIMIT = 3, "timeLimitExceeded";
    SIZE_LIMIT = 4, "sizeLimitExceeded";
    COMPARE_FALSE = 5, "compareFalse";
    COMPARE_TRUE = 6, "compareTrue";
    AUTH_METHOD_NOT_SUPPORTED = 7, "authMethodNotSupported";
    STRONGER_AUTH_REQUIRED = 8, "strongerAuthRequired";
    REFERRAL = 10, "referral";
    ADMIN_LIMIT = 11, "adminLimitExceeded";
    UNAVAILABLE_CRITICAL_EXTENSION = 12, "unavailableCriticalExtension";
    CONFIDENTIALITY_REQUIRED = 13, "confidentialityRequired";
    SASL_BIND_IN_PROGRESS = 14, "saslBindInProgress";
    NO_SUCH_ATTRIBUTE = 16, "noSuchAttribute";
    UNDEFINED_ATTRIBUTE = 17, "undefinedAttributeType";
    INAPPROPRIATE_MATCHING = 18, "inappropriateMatching";
    CONSTRAINT_VIOLATION = 19, "constraintViolation";
    ATTRIBUTE_OR_VALUE_EXISTS = 20, "attributeOrValueExists";
    INVALID_SYNTAX = 21, "invalidAttributeSyntax";
    NO_SUCH_OBJECT = 32, "noSuchObject";
    ALIAS_PROBLEM = 33, "aliasProblem";
    INVALID_DN = 34, "invalidDNSyntax";
    ALIAS_DEREFERENCING_PROBLEM = 36, "aliasDereferencingProblem";
    INAPPROPRIATE_AUTH = 48, "inappropriateAuthentication";
    INVALID_CREDENTIALS = 49, "invalidCredentials";
    INSUFFICIENT_ACCESS = 50, "insufficientAccessRights";
    BUSY = 51, "busy";
    UNAVAILABLE = 52, "unavailable";
    UNWILLING = 53, "unwillingToPerform";
    LOOP_DETECT = 54, "loopDetect";
    NAMING_VIOLATION = 64, "namingViolation";
    OBJECT_CLASS_VIOLATION = 65, "objectClassViolation";
    NOT_ALLOWED_ON_NON_LEAF = 66, "notAllowedOnNonLeaf";
    NOT_ALLOWED_ON_RDN = 67, "notAllowedOnRDN";
    ENTRY_ALREADY_EXISTS = 68, "entryAlreadyExists";
    OBJECT_CLASS_MODS_PROHIBITED = 69, "objectClassModsProhibited";
    AFFECTS_MULTIPLE_DSAS = 71, "affectsMultipleDSAs";
    OTHER = 80, "other";
    CANCELED = 118, "canceled";
    NO_SUCH_OPERATION = 119, "noSuchOperation";
    TOO_LATE = 120, "tooLate";
    CANNOT_CANCEL = 121, "cannotCancel";
    ASSERTION_FAILED = 122, "assertionFailed";
    SYNC_REFRESH_REQUIRED = 4096, "e-syncRefreshRequired";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.word(), self.0)
    }
}

/// What ends an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapResult {
    pub code: Code,
    /// The nearest entry that is there, for codes that say one is not.
    pub matched: String,
    /// For people who look for a fault. Octets that are no UTF-8 were replaced.
    pub text: String,
    /// URIs; empty but with `referral`.
    pub referral: Vec<String>,
}

impl LdapResult {
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, matched: String::new(), text: text.into(), referral: Vec::new() }
    }

    pub fn success() -> Self {
        Self::new(Code::SUCCESS, "")
    }

    pub(crate) fn read(fields: &mut Fields) -> Result<Self, Malformed> {
        let code = fields.number(ENUMERATED)?;
        let code = Code(u32::try_from(code).map_err(|_| Malformed::NotAMessage)?);
        let matched = fields.text()?;
        let text = String::from_utf8_lossy(&fields.octets()?).into_owned();
        let referral = match fields.maybe(REFERRAL) {
            Some(uris) => uris.fields()?.map(Tree::text).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        Ok(Self { code, matched, text, referral })
    }

    /// The fields that every response begins with.
    pub(crate) fn trees(&self) -> Vec<Tree> {
        let mut trees = Vec::with_capacity(6);
        trees.push(Tree::integer(ENUMERATED, i64::from(self.code.0)));
        trees.push(Tree::octets(OCTETS, self.matched.as_bytes()));
        trees.push(Tree::octets(OCTETS, self.text.as_bytes()));
        if !self.referral.is_empty() {
            trees.push(Tree::of(
                REFERRAL,
                self.referral.iter().map(|uri| Tree::octets(OCTETS, uri.as_bytes())).collect(),
            ));
        }
        trees
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_as_words() {
        assert_eq!(Code::INVALID_CREDENTIALS.to_string(), "invalidCredentials (49)");
        assert_eq!(Code(12_345).to_string(), "other (12345)");
    }

    #[test]
    fn a_diagnostic_may_be_any_octets() {
        let octets = [0x30, 9, 0x0a, 1, 49, 0x04, 0, 0x04, 2, 0xff, b'x'];
        let mut fields = Tree::of_value(&octets).unwrap().fields().unwrap();
        let read = LdapResult::read(&mut fields).unwrap();
        assert_eq!(read, LdapResult::new(Code::INVALID_CREDENTIALS, "\u{fffd}x"));
    }
}
