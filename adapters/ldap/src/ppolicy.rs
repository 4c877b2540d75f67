//! What a password policy says beside the result of a bind, in the words of this project, and what it means.

use fedbridge_contract::password::PasswordWarning;
use fedbridge_ldap_core::Control;
use fedbridge_ldap_core::password_policy::{PolicyAnswer, PolicyError, Warning};

/// What controls said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    pub warning: Option<PasswordWarning>,
    pub error: Option<PolicyError>,
    /// A control that could not be read. It says nothing then.
    pub unreadable: bool,
}

impl Policy {
    pub fn of(controls: &[Control]) -> Self {
        match PolicyAnswer::find(controls) {
            None => Self::default(),
            Some(Err(_)) => Self { unreadable: true, ..Self::default() },
            Some(Ok(PolicyAnswer { warning, error })) => Self {
                warning: warning.map(|warning| match warning {
                    Warning::Expires(seconds) => PasswordWarning::ExpiresIn { seconds: seconds.into() },
                    Warning::GraceLogins(left) => PasswordWarning::GraceLogins { left },
                }),
                error,
                unreadable: false,
            },
        }
    }
}

/// `ppolicy 1`.
pub fn code(error: PolicyError) -> String {
    format!("ppolicy {}", error.number())
}

pub fn means(error: PolicyError) -> &'static str {
    match error {
        PolicyError::PasswordExpired => "the password has expired",
        PolicyError::AccountLocked => "the account is locked",
        PolicyError::ChangeAfterReset => "the password was reset and must be changed first",
        PolicyError::PasswordModNotAllowed => "the password may not be changed",
        PolicyError::MustSupplyOldPassword => "the old password is needed",
        PolicyError::InsufficientPasswordQuality => "the password is too simple",
        PolicyError::PasswordTooShort => "the password is too short",
        PolicyError::PasswordTooYoung => "the password was changed too recently",
        PolicyError::PasswordInHistory => "the password was used before",
        PolicyError::Other(_) => "the server gives a reason that is not known here",
    }
}

#[cfg(test)]
mod tests {
    use fedbridge_ldap_core::password_policy::{NETSCAPE_EXPIRING, PASSWORD_POLICY};

    use super::*;

    #[test]
    fn controls_are_put_into_words() {
        let policy = |oid: &str, value: &'static [u8]| Policy::of(&[Control::with_value(oid, false, value.into())]);
        let grace = policy(PASSWORD_POLICY, b"\x30\x08\xa0\x03\x81\x01\x02\x81\x01\x00");
        let expected = (Some(PasswordWarning::GraceLogins { left: 2 }), Some(PolicyError::PasswordExpired));
        assert_eq!((grace.warning, grace.error), expected);
        let expiring = policy(NETSCAPE_EXPIRING, b"86400");
        assert_eq!(expiring.warning, Some(PasswordWarning::ExpiresIn { seconds: 86_400 }));
        assert_eq!(policy("1.2.3", b"x"), Policy::default());
    }

    #[test]
    fn a_malformed_control_says_nothing() {
        let mut seed = 7_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        for length in 0..64 {
            for _ in 0..200 {
                let octets: Vec<u8> = (0..length).map(|_| next()).collect();
                let policy = Policy::of(&[Control::with_value(PASSWORD_POLICY, false, octets.into())]);
                assert!(!policy.unreadable || policy == Policy { unreadable: true, ..Policy::default() });
            }
        }
    }
}
