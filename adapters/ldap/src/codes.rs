//! What a directory's answer to a bind means: result codes, Active Directory's sub-codes, and what password policies
//! add in controls.

use fedbridge_contract::password::{PasswordRefusal, PasswordWarning, Why};

use fedbridge_ldap_core::Code;
use fedbridge_ldap_core::password_policy::PolicyError;

use crate::ppolicy::{self, Policy};

/// What came of a bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right.
    Right {
        warning: Option<PasswordWarning>,
    },
    /// It is right, and good for nothing but to be changed.
    MustChange {
        code: String,
        means: &'static str,
    },
    No {
        refusal: PasswordRefusal,
        means: String,
    },
    /// Nobody knows whether it is right. The sentence is for an administrator.
    Trouble(String),
}

/// A sub-code of Active Directory in the diagnostic message of invalidCredentials (49): `data 52e`.
#[derive(Debug, PartialEq, Eq)]
pub struct SubCode {
    pub code: &'static str,
    pub why: Why,
    pub means: &'static str,
}

/// Only those from 530 to 533, 701 and 773 come after a right password, so only they may be told to whoever typed it.
pub const SUB_CODES: &[SubCode] = &[
    SubCode { code: "525", why: Why::Unknown, means: "there is no such user" },
    SubCode { code: "52e", why: Why::Wrong, means: "the password is wrong, or there is no such user" },
    SubCode { code: "52f", why: Why::Locked, means: "a restriction of the account forbids it" },
    SubCode { code: "530", why: Why::Hours, means: "the account may not log in at this time" },
    SubCode { code: "531", why: Why::Workstation, means: "the account may not log in from this computer" },
    SubCode { code: "532", why: Why::PasswordExpired, means: "the password has expired" },
    SubCode { code: "533", why: Why::Disabled, means: "the account is disabled" },
    SubCode { code: "534", why: Why::Locked, means: "the account may not log in in this way" },
    SubCode { code: "568", why: Why::Locked, means: "the account is in too many groups to log in" },
    SubCode { code: "701", why: Why::Expired, means: "the account has expired" },
    SubCode { code: "773", why: Why::PasswordExpired, means: "the password must be changed first" },
    SubCode { code: "775", why: Why::Locked, means: "the account is locked after too many wrong passwords" },
];

/// After these the password is right, and can still be changed.
const CHANGEABLE: &[&str] = &["532", "773"];

/// SEC_E_BAD_BINDINGS: the server wants channel binding.
const BAD_BINDINGS: &str = "80090346";

/// Judges the result of a bind: its code, its diagnostic message, and what the controls say.
pub fn of_bind(code: u32, diagnostic: &str, policy: &Policy) -> Verdict {
    match code {
        0 => right(policy),
        49 => invalid_credentials(diagnostic, policy),
        // The server looks for the name itself.
        32 | 34 => no(Why::Unknown, code.to_string(), "the server does not know the entry"),
        48 => no(Why::Wrong, code.to_string(), "the entry has no password to bind with"),
        // 389 Directory Server says so of locked and of inactive accounts, whatever the password.
        19 | 53 => no(Why::Locked, code.to_string(), "the server does not let this account log in"),
        8 | 13 => Verdict::Trouble(format!(
            "the server wants an encrypted connection for passwords (code {code}): use ldaps:// or start_tls"
        )),
        10 => Verdict::Trouble(
            "the server refers the bind to another server (code 10), and passwords are sent to no server that is not \
             configured"
                .to_owned(),
        ),
        other => Verdict::Trouble(format!("the server answers the bind with {}", Code(other))),
    }
}

fn right(policy: &Policy) -> Verdict {
    let must_change = match policy.error {
        Some(PolicyError::ChangeAfterReset) => true,
        // Netscape's way to say the same; with a warning it is the last logins of an expired one.
        Some(PolicyError::PasswordExpired) => policy.warning.is_none(),
        _ => false,
    };
    match policy.error {
        Some(error) if must_change => Verdict::MustChange { code: ppolicy::code(error), means: ppolicy::means(error) },
        _ => Verdict::Right { warning: policy.warning },
    }
}

fn invalid_credentials(diagnostic: &str, policy: &Policy) -> Verdict {
    if diagnostic.contains(BAD_BINDINGS) {
        return Verdict::Trouble(format!(
            "the server requires channel binding for this kind of bind (data {BAD_BINDINGS}): see its setting \
             LdapEnforceChannelBinding"
        ));
    }
    if let Some(data) = sub_code(diagnostic) {
        return match SUB_CODES.iter().find(|known| known.code == data) {
            Some(known) if CHANGEABLE.contains(&known.code) => {
                Verdict::MustChange { code: format!("49/{data}"), means: known.means }
            }
            Some(known) => no(known.why, format!("49/{data}"), known.means),
            None => no(Why::Wrong, format!("49/{data}"), "the server gives a code that is not known here"),
        };
    }
    match policy.error {
        Some(error @ PolicyError::PasswordExpired) => {
            no(Why::PasswordExpired, ppolicy::code(error), ppolicy::means(error))
        }
        Some(error @ PolicyError::AccountLocked) => no(Why::Locked, ppolicy::code(error), ppolicy::means(error)),
        _ => no(Why::Wrong, "49".to_owned(), "the password is wrong, or the server says no more than that"),
    }
}

/// `52e` of `80090308: LdapErr: DSID-0C090449, comment: AcceptSecurityContext error, data 52e, v4563`.
pub fn sub_code(diagnostic: &str) -> Option<String> {
    let (_, behind) = diagnostic.split_once("data ")?;
    let digits: String = behind.chars().take_while(char::is_ascii_hexdigit).collect();
    (1..=8).contains(&digits.len()).then(|| digits.to_ascii_lowercase())
}

fn no(why: Why, upstream_code: String, means: impl Into<String>) -> Verdict {
    Verdict::No { refusal: PasswordRefusal { reason: why, upstream_code }, means: means.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active_directory(data: &str) -> String {
        format!("80090308: LdapErr: DSID-0C090449, comment: AcceptSecurityContext error, data {data}, v4563")
    }

    #[test]
    fn each_sub_code_has_its_meaning() {
        let none = Policy::default();
        for (data, why, told) in [
            ("525", Why::Unknown, false),
            ("52e", Why::Wrong, false),
            ("52E", Why::Wrong, false),
            ("530", Why::Hours, true),
            ("531", Why::Workstation, true),
            ("533", Why::Disabled, true),
            ("568", Why::Locked, false),
            ("701", Why::Expired, true),
            ("775", Why::Locked, false),
            ("999", Why::Wrong, false),
        ] {
            let Verdict::No { refusal, .. } = of_bind(49, &active_directory(data), &none) else { panic!("{data}") };
            assert_eq!((refusal.reason, refusal.reason.may_be_told()), (why, told), "{data}");
            assert_eq!(refusal.upstream_code, format!("49/{}", data.to_lowercase()));
        }
        for data in CHANGEABLE {
            let verdict = of_bind(49, &active_directory(data), &none);
            assert!(matches!(verdict, Verdict::MustChange { .. }), "{data}: {verdict:?}");
        }
    }

    #[test]
    fn a_sub_code_stands_behind_data() {
        assert_eq!(sub_code(&active_directory("775")).as_deref(), Some("775"));
        assert_eq!(sub_code("data 0, v1db1").as_deref(), Some("0"));
        for other in ["", "data ", "data x", "database 52e", "data 123456789, v1"] {
            assert_eq!(sub_code(other), None, "{other}");
        }
    }

    #[test]
    fn trouble_is_nobodys_wrong_password() {
        let none = Policy::default();
        for code in [1, 2, 3, 7, 8, 10, 11, 13, 14, 51, 52, 80, 118] {
            assert!(matches!(of_bind(code, "", &none), Verdict::Trouble(_)), "{code}");
        }
        let bindings = "80090346: LdapErr: DSID-0C09070F, comment: AcceptSecurityContext error, data 80090346, v4f7c";
        assert!(matches!(of_bind(49, bindings, &none), Verdict::Trouble(why) if why.contains("channel binding")));
    }

    #[test]
    fn a_policy_speaks_only_where_no_sub_code_does() {
        let policy = |error| Policy { error: Some(error), ..Policy::default() };
        let reason = |verdict| match verdict {
            Verdict::No { refusal, .. } => Some(refusal.reason),
            _ => None,
        };
        assert_eq!(reason(of_bind(49, "", &policy(PolicyError::PasswordExpired))), Some(Why::PasswordExpired));
        assert_eq!(reason(of_bind(49, "", &policy(PolicyError::AccountLocked))), Some(Why::Locked));
        assert_eq!(reason(of_bind(49, "", &policy(PolicyError::PasswordTooYoung))), Some(Why::Wrong));
        assert_eq!(
            reason(of_bind(49, &active_directory("52e"), &policy(PolicyError::PasswordExpired))),
            Some(Why::Wrong)
        );
        assert!(matches!(of_bind(0, "", &policy(PolicyError::ChangeAfterReset)), Verdict::MustChange { .. }));
        assert!(matches!(of_bind(0, "", &policy(PolicyError::PasswordExpired)), Verdict::MustChange { .. }));
        let warned = Policy {
            error: Some(PolicyError::PasswordExpired),
            warning: Some(PasswordWarning::GraceLogins { left: 2 }),
            ..Policy::default()
        };
        assert_eq!(of_bind(0, "", &warned), Verdict::Right { warning: warned.warning });
    }
}
