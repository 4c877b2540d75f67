//! What a directory says about a password beside its yes or no (draft-behera-ldap-password-policy-10 section 6, and
//! draft-vchu-ldap-pwd-policy of Netscape).

use bytes::Bytes;

use crate::ber::{SEQUENCE, Tree};
use crate::control::Control;
use crate::guard::Malformed;

/// Asks with a bind, and answers with what ended it.
pub const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
pub const NETSCAPE_EXPIRED: &str = "2.16.840.1.113730.3.4.4";
pub const NETSCAPE_EXPIRING: &str = "2.16.840.1.113730.3.4.5";

const WARNING: u8 = 0xa0;
const SECONDS: u8 = 0x80;
const GRACE: u8 = 0x81;
const ERROR: u8 = 0x81;

/// The value of [`PASSWORD_POLICY`] in an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PolicyAnswer {
    pub warning: Option<Warning>,
    pub error: Option<PolicyError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// Until the password expires, in seconds.
    Expires(u32),
    /// It has expired, and may be used so many times more.
    GraceLogins(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyError {
    PasswordExpired,
    AccountLocked,
    ChangeAfterReset,
    PasswordModNotAllowed,
    MustSupplyOldPassword,
    InsufficientPasswordQuality,
    PasswordTooShort,
    PasswordTooYoung,
    PasswordInHistory,
    /// Of a later draft.
    Other(u32),
}

impl PolicyError {
    pub fn number(self) -> u32 {
        match self {
            Self::PasswordExpired => 0,
            Self::AccountLocked => 1,
            Self::ChangeAfterReset => 2,
            Self::PasswordModNotAllowed => 3,
            Self::MustSupplyOldPassword => 4,
            Self::InsufficientPasswordQuality => 5,
            Self::PasswordTooShort => 6,
            Self::PasswordTooYoung => 7,
            Self::PasswordInHistory => 8,
            Self::Other(number) => number,
        }
    }

    fn of(number: u32) -> Self {
        match number {
            0 => Self::PasswordExpired,
            1 => Self::AccountLocked,
            2 => Self::ChangeAfterReset,
            3 => Self::PasswordModNotAllowed,
            4 => Self::MustSupplyOldPassword,
            5 => Self::InsufficientPasswordQuality,
            6 => Self::PasswordTooShort,
            7 => Self::PasswordTooYoung,
            8 => Self::PasswordInHistory,
            other => Self::Other(other),
        }
    }
}

impl PolicyAnswer {
    /// The first policy control of an answer; Netscape's are taken for the same. `None`: there is none.
    ///
    /// # Errors
    /// There is one, and its value is none of it.
    pub fn find(controls: &[Control]) -> Option<Result<Self, Malformed>> {
        controls.iter().find_map(|control| match &control.oid[..] {
            PASSWORD_POLICY => Some(Self::read(control)),
            NETSCAPE_EXPIRED => Some(Ok(Self { warning: None, error: Some(PolicyError::PasswordExpired) })),
            NETSCAPE_EXPIRING => Some(expiring(control)),
            _ => None,
        })
    }

    /// # Errors
    /// The value is none of this control.
    pub fn read(control: &Control) -> Result<Self, Malformed> {
        let mut fields = control.value_tree()?.fields()?;
        let warning = match fields.maybe(WARNING) {
            Some(warning) => {
                let choice = warning.fields()?.next().ok_or(Malformed::NotAMessage)?;
                let tag = choice.tag();
                let number = count(choice)?;
                match tag {
                    SECONDS => Some(Warning::Expires(number)),
                    GRACE => Some(Warning::GraceLogins(number)),
                    _ => return Err(Malformed::NotAMessage),
                }
            }
            None => None,
        };
        let error = fields.maybe(ERROR).map(count).transpose()?.map(PolicyError::of);
        Ok(Self { warning, error })
    }

    /// For the answer to a bind.
    pub fn control(&self) -> Control {
        let mut fields = Vec::new();
        if let Some(warning) = self.warning {
            let choice = match warning {
                Warning::Expires(seconds) => Tree::integer(SECONDS, i64::from(seconds)),
                Warning::GraceLogins(left) => Tree::integer(GRACE, i64::from(left)),
            };
            fields.push(Tree::of(WARNING, vec![choice]));
        }
        fields.extend(self.error.map(|error| Tree::integer(ERROR, i64::from(error.number()))));
        Control::with_value(PASSWORD_POLICY, false, Tree::of(SEQUENCE, fields).to_bytes())
    }
}

/// Netscape's value is text: the seconds that are left.
fn expiring(control: &Control) -> Result<PolicyAnswer, Malformed> {
    let text = control.value.as_ref().map(Bytes::as_ref).and_then(|value| std::str::from_utf8(value).ok());
    let seconds = text.and_then(|text| text.trim().parse().ok()).ok_or(Malformed::NotAMessage)?;
    Ok(PolicyAnswer { warning: Some(Warning::Expires(seconds)), error: None })
}

fn count(tree: Tree) -> Result<u32, Malformed> {
    u32::try_from(tree.number()?).map_err(|_| Malformed::NotAMessage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &'static [u8]) -> Result<PolicyAnswer, Malformed> {
        PolicyAnswer::read(&Control::with_value(PASSWORD_POLICY, false, Bytes::from_static(octets)))
    }

    #[test]
    fn answers_go_round() {
        for warning in [None, Some(Warning::Expires(86_400)), Some(Warning::GraceLogins(0))] {
            for error in [
                None,
                Some(PolicyError::AccountLocked),
                Some(PolicyError::ChangeAfterReset),
                Some(PolicyError::Other(9)),
            ] {
                let answer = PolicyAnswer { warning, error };
                assert_eq!(PolicyAnswer::read(&answer.control()), Ok(answer));
                assert_eq!(PolicyAnswer::find(&[Control::new("1.2.3", false), answer.control()]), Some(Ok(answer)));
            }
        }
        for number in 0..12 {
            assert_eq!(PolicyError::of(number).number(), number);
        }
    }

    #[test]
    fn octets_of_openldap() {
        assert_eq!(read(b"\x30\0"), Ok(PolicyAnswer::default()));
        assert_eq!(read(b"\x30\x03\x81\x01\x01").unwrap().error, Some(PolicyError::AccountLocked));
        assert_eq!(read(b"\x30\x05\xa0\x03\x80\x01\x3c").unwrap().warning, Some(Warning::Expires(60)));
        assert_eq!(read(b"\x30\x05\xa0\x03\x81\x01\x02").unwrap().warning, Some(Warning::GraceLogins(2)));
    }

    #[test]
    fn a_value_that_is_none_says_so() {
        for octets in [
            &b""[..],
            b"\x30",
            b"\x30\x80",
            b"\x30\x02\xa0\0",
            b"\x30\x05\xa0\x03\x83\x01\x01",
            b"\x30\x04\xa0\x02\x80\0",
            b"\x30\x03\x81\x01\xff",
            b"\x30\x0b\x81\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01",
            b"\x30\x06\x81\x84\xff\xff\xff\xff",
            b"\x81\x01\x01",
        ] {
            assert!(read(octets).is_err(), "{octets:x?}");
        }
        assert!(PolicyAnswer::find(&[Control::new(PASSWORD_POLICY, false)]).unwrap().is_err());
        assert_eq!(PolicyAnswer::find(&[]), None);
    }

    #[test]
    fn netscape() {
        let find = |oid: &str, value: &'static [u8]| {
            PolicyAnswer::find(&[Control::with_value(oid, false, Bytes::from_static(value))]).unwrap()
        };
        assert_eq!(find(NETSCAPE_EXPIRED, b"0").unwrap().error, Some(PolicyError::PasswordExpired));
        assert_eq!(find(NETSCAPE_EXPIRING, b"86400").unwrap().warning, Some(Warning::Expires(86_400)));
        assert!(find(NETSCAPE_EXPIRING, b"\xff").is_err());
        assert!(find(NETSCAPE_EXPIRING, b"-1").is_err());
    }
}
