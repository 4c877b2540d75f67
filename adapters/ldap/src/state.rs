//! Whether an entry says that its account may not be used. Servers refuse such a bind themselves; where nobody binds
//! (a refresh, a sync, a search), these attributes are all that speaks.

use fedbridge_contract::password::Why;
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::value::time::{self, FileTime};

use crate::entry;
use crate::wire::Entry;

/// What keeps an account out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Barred {
    pub why: Why,
    /// The directory's own words: `userAccountControl 2`.
    pub says: String,
    /// Nobody decided it: wrong passwords did, and it passes by itself.
    pub passing: bool,
}

/// ADS_UF_ACCOUNTDISABLE, ADS_UF_LOCKOUT and ADS_UF_PASSWORD_EXPIRED (MS-ADTS section 2.2.16).
const DISABLED: i64 = 0x2;
const LOCKED_OUT: i64 = 0x10;
const PASSWORD_EXPIRED: i64 = 0x80_0000;

/// Locked by an administrator, for ever (draft-behera-ldap-password-policy section 5.3.3).
const FOR_EVER: &str = "000001010000Z";

/// The first thing that keeps the account out; `None`: nothing does. What can't be read keeps it out too.
pub fn barred(entry: &Entry, now: Timestamp) -> Option<Barred> {
    RULES.iter().find_map(|(attribute, rule)| {
        let value = entry.text(attribute)?;
        rule(value, now).map(|(why, passing)| Barred {
            why,
            says: format!("{attribute} {}", entry::shown(value)),
            passing,
        })
    })
}

type Rule = fn(&str, Timestamp) -> Option<(Why, bool)>;

const RULES: &[(&str, Rule)] = &[
    ("userAccountControl", |value, _| account_control(value)),
    ("msDS-User-Account-Control-Computed", |value, _| account_control(value)),
    ("accountExpires", account_expires),
    ("pwdAccountLockedTime", locked_time),
    ("nsAccountLock", |value, _| flag(value).then_some((Why::Disabled, false))),
    ("loginDisabled", |value, _| flag(value).then_some((Why::Disabled, false))),
    ("ds-pwp-account-disabled", |value, _| flag(value).then_some((Why::Disabled, false))),
    ("lockedByIntruder", |value, _| flag(value).then_some((Why::Locked, true))),
    ("shadowExpire", shadow_expire),
    ("loginExpirationTime", expiration),
    ("krbPrincipalExpiration", expiration),
];

fn account_control(value: &str) -> Option<(Why, bool)> {
    let Ok(bits) = value.parse::<i64>() else { return Some((Why::Disabled, false)) };
    if bits & DISABLED != 0 {
        return Some((Why::Disabled, false));
    }
    if bits & LOCKED_OUT != 0 {
        return Some((Why::Locked, true));
    }
    (bits & PASSWORD_EXPIRED != 0).then_some((Why::PasswordExpired, false))
}

/// MS-ADA1 section 2.3.
fn account_expires(value: &str, now: Timestamp) -> Option<(Why, bool)> {
    let goes_on = match FileTime::parse(value) {
        Some(FileTime::Never) => true,
        Some(FileTime::At(millis)) => now < Timestamp::from_millis(millis),
        None => false,
    };
    (!goes_on).then_some((Why::Expired, false))
}

/// A lock that wrong passwords made stays written after its time is over, until somebody logs in.
fn locked_time(value: &str, _: Timestamp) -> Option<(Why, bool)> {
    if value == FOR_EVER { Some((Why::Disabled, false)) } else { Some((Why::Locked, true)) }
}

/// Days since 1970 (shadow(5)); negative: never.
fn shadow_expire(value: &str, now: Timestamp) -> Option<(Why, bool)> {
    let goes_on = match value.parse::<i64>() {
        Ok(days) => days < 0 || now.seconds().div_euclid(86_400) < days,
        Err(_) => false,
    };
    (!goes_on).then_some((Why::Expired, false))
}

fn expiration(value: &str, now: Timestamp) -> Option<(Why, bool)> {
    let goes_on = time::parse(value).is_some_and(|millis| now < Timestamp::from_millis(millis));
    (!goes_on).then_some((Why::Expired, false))
}

fn flag(value: &str) -> bool {
    !value.eq_ignore_ascii_case("false")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-01.
    const NOW: Timestamp = Timestamp::from_seconds(1_772_323_200);

    fn found(attribute: &str, value: &str) -> Option<(Why, bool)> {
        let attributes = vec![(attribute.to_owned(), vec![value.into()])];
        barred(&Entry { dn: "uid=a".to_owned(), attributes }, NOW).map(|barred| (barred.why, barred.passing))
    }

    #[test]
    fn each_attribute_that_bars() {
        for (attribute, value, expected) in [
            ("userAccountControl", "512", None),
            ("useraccountcontrol", "514", Some((Why::Disabled, false))),
            ("userAccountControl", "66048", None),
            ("userAccountControl", "x", Some((Why::Disabled, false))),
            ("msDS-User-Account-Control-Computed", "0", None),
            ("msDS-User-Account-Control-Computed", "16", Some((Why::Locked, true))),
            ("msDS-User-Account-Control-Computed", "8388608", Some((Why::PasswordExpired, false))),
            ("accountExpires", "0", None),
            ("accountExpires", "9223372036854775807", None),
            ("accountExpires", "116444736010000000", Some((Why::Expired, false))),
            ("accountExpires", "159017472000000000", None),
            ("accountExpires", "soon", Some((Why::Expired, false))),
            ("pwdAccountLockedTime", "000001010000Z", Some((Why::Disabled, false))),
            ("pwdAccountLockedTime", "20260228235959Z", Some((Why::Locked, true))),
            ("nsAccountLock", "TRUE", Some((Why::Disabled, false))),
            ("nsAccountLock", "false", None),
            ("loginDisabled", "TRUE", Some((Why::Disabled, false))),
            ("loginDisabled", "FALSE", None),
            ("lockedByIntruder", "TRUE", Some((Why::Locked, true))),
            ("shadowExpire", "-1", None),
            ("shadowExpire", "20512", Some((Why::Expired, false))),
            ("shadowExpire", "20513", Some((Why::Expired, false))),
            ("shadowExpire", "20514", None),
            ("loginExpirationTime", "20260301000000Z", Some((Why::Expired, false))),
            ("loginExpirationTime", "20260301000001Z", None),
            ("krbPrincipalExpiration", "never", Some((Why::Expired, false))),
        ] {
            assert_eq!(found(attribute, value), expected, "{attribute} {value}");
        }
        assert_eq!(found("mail", "a@b"), None);
    }

    #[test]
    fn it_says_so_in_the_directorys_words() {
        let attributes = vec![("userAccountControl".to_owned(), vec![b"514".to_vec()])];
        let barred = barred(&Entry { dn: String::new(), attributes }, NOW).unwrap();
        assert_eq!(barred.says, "userAccountControl 514");
    }
}
