//! A new password, set with the old one: by the extended operation of RFC 3062 as the person, or at Active Directory by
//! `unicodePwd`, which checks the old one itself.

use bytes::Bytes;
use fedbridge_contract::password::{Change, Changed, Password, PasswordRefusal, Why};
use fedbridge_contract::trace::TraceLog;
use fedbridge_ldap_core::extended::{PASSWORD_MODIFY, PasswordModify};
use fedbridge_ldap_core::password_policy::{PASSWORD_POLICY, PolicyError};
use fedbridge_ldap_core::value::password::unicode_pwd;
use fedbridge_ldap_core::{Code, Control, LdapResult, Op};

use crate::codes::Verdict;
use crate::directory::{Directory, Told, Trouble, millis};
use crate::find::{self, Found};
use crate::flavors::PasswordChange;
use crate::ppolicy::Policy;
use crate::verify::judged;
use crate::wire;

/// ERROR_INVALID_PASSWORD, ERROR_PASSWORD_RESTRICTION and ERROR_ACCOUNT_LOCKED_OUT, as a diagnostic message begins.
const OLD_IS_WRONG: &str = "00000056";
const RESTRICTED: &str = "0000052D";
const LOCKED: &str = "00000775";

pub(crate) async fn change(directory: &Directory, change: Change<'_>, trace: &mut TraceLog) -> Changed {
    let mut told = Told { now: change.now, trace };
    if !directory.settings.password_change {
        told.trace.decide("Password change", "connection setting password_change is off", false);
        return Changed::Policy("passwords can't be changed here".to_owned());
    }
    match at_the_directory(directory, &change, &mut told).await {
        Ok(changed) => {
            directory.accounts.forget(change.known.key);
            let outcome = match &changed {
                Changed::Yes => "the new password is set",
                Changed::Refused(_) => "the old password is not accepted",
                Changed::Policy(_) => "the new password breaks a rule of the directory",
                Changed::Unavailable(_) => "the directory could not be asked",
            };
            told.trace.decide("Password change", outcome, matches!(changed, Changed::Yes));
            changed
        }
        Err(trouble) => Changed::Unavailable(trouble.public()),
    }
}

async fn at_the_directory(directory: &Directory, change: &Change<'_>, told: &mut Told<'_>) -> Result<Changed, Trouble> {
    let Found::One(entry) = find::known(directory, change.known.key, told).await? else {
        return Ok(refused(Why::Unknown, "not found"));
    };
    match directory.settings.flavor.password_change {
        PasswordChange::Extended => by_extended(directory, &entry.dn, change, told).await,
        PasswordChange::UnicodePwd => by_unicode(directory, &entry.dn, change, told).await,
    }
}

async fn by_extended(
    directory: &Directory,
    dn: &str,
    change: &Change<'_>,
    told: &mut Told<'_>,
) -> Result<Changed, Trouble> {
    let (result, session) = directory.bind_for_more(dn, change.old, told).await?;
    match judged(&result, told) {
        Verdict::Right { .. } | Verdict::MustChange { .. } => {}
        Verdict::No { refusal, .. } => return Ok(Changed::Refused(refusal)),
        Verdict::Trouble(why) => return Err(Trouble(why)),
    }
    let Some(mut session) = session else {
        return Ok(refused(Why::PasswordExpired, "expired, and the server lets nobody in to change it"));
    };
    let octets = |password: &Password| Some(Bytes::copy_from_slice(password.octets()));
    let request = PasswordModify { user: None, old: octets(change.old), new: octets(change.new) };
    let Op::Extended { value, .. } = request.op() else {
        return Err(Trouble("the request for a new password could not be made".to_owned()));
    };
    let value = value.map(|octets| octets.to_vec());
    let policy = Control::new(PASSWORD_POLICY, false);
    told.trace.sent(told.now, "password modify", vec![("name", dn.to_owned())]);
    let began = directory.services.clock.steady();
    let answer = session.extended(PASSWORD_MODIFY, value, vec![policy]).await?;
    tell(directory, &answer.result, began, told);
    let policy = Policy::of(&answer.controls);
    match answer.result.code {
        Code::SUCCESS => Ok(Changed::Yes),
        Code::INVALID_CREDENTIALS => Ok(refused(Why::Wrong, "49")),
        Code::CONSTRAINT_VIOLATION | Code::UNWILLING | Code::INSUFFICIENT_ACCESS => {
            Ok(Changed::Policy(rule(policy.error).to_owned()))
        }
        code => Err(Trouble(format!("{}: the password can't be changed: {code}", session.server()))),
    }
}

/// Old and new as two changes of one attribute: the server checks the old one, so whose connection it is does not
/// matter, and an expired password can be changed too (MS-ADTS section 3.1.1.3.1.5).
async fn by_unicode(
    directory: &Directory,
    dn: &str,
    change: &Change<'_>,
    told: &mut Told<'_>,
) -> Result<Changed, Trouble> {
    let Some(old) = change.old.text().map(unicode_pwd) else { return Ok(refused(Why::Wrong, "no text")) };
    let Some(new) = change.new.text().map(unicode_pwd) else {
        return Ok(Changed::Policy("it has characters that can't be used".to_owned()));
    };
    let mut lease = directory.upstream.service().await?;
    let (old, new) = ([old.as_slice()], [new.as_slice()]);
    let changes = [wire::Change::Delete("unicodePwd", &old), wire::Change::Add("unicodePwd", &new)];
    told.trace.sent(told.now, "change of unicodePwd", vec![("name", dn.to_owned())]);
    let began = directory.services.clock.steady();
    let (result, _) = lease.modify(dn, &changes, Vec::new()).await?;
    tell(directory, &result, began, told);
    let why = |code: Code| Trouble(format!("{}: the password can't be changed: {code}", lease.server()));
    of_modify(&result).ok_or_else(|| why(result.code))
}

/// What Active Directory says to a new password; `None`: nothing about it.
fn of_modify(result: &LdapResult) -> Option<Changed> {
    let says = |code: &str| result.text.get(..8).is_some_and(|begin| begin.eq_ignore_ascii_case(code));
    Some(match result.code {
        Code::SUCCESS => Changed::Yes,
        _ if says(OLD_IS_WRONG) => refused(Why::Wrong, "56"),
        _ if says(LOCKED) => refused(Why::Locked, "775"),
        Code::CONSTRAINT_VIOLATION => Changed::Policy(rule(None).to_owned()),
        Code::UNWILLING if says(RESTRICTED) => Changed::Policy(rule(None).to_owned()),
        _ => return None,
    })
}

fn tell(directory: &Directory, result: &LdapResult, began: std::time::Duration, told: &mut Told<'_>) {
    let facts = vec![
        ("code", result.code.to_string()),
        ("text", result.text.trim_end_matches('\0').to_owned()),
        ("took", millis(directory.since(began))),
    ];
    told.trace.received(told.now, "password change: result", true, facts);
}

fn refused(reason: Why, code: &str) -> Changed {
    Changed::Refused(PasswordRefusal { reason, upstream_code: code.to_owned() })
}

/// Why a new password is not taken, as a person may read it.
fn rule(error: Option<PolicyError>) -> &'static str {
    match error {
        Some(PolicyError::PasswordTooShort) => "it is too short",
        Some(PolicyError::InsufficientPasswordQuality) => "it is too simple",
        Some(PolicyError::PasswordTooYoung) => "the last change is too recent",
        Some(PolicyError::PasswordInHistory) => "it was used before",
        Some(PolicyError::PasswordModNotAllowed) => "this password may not be changed",
        _ => "it does not follow the rules of your organization",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_active_directory_says_to_a_new_password() {
        let said = |code, text: &str| of_modify(&LdapResult::new(Code(code), text));
        let reason = |changed| match changed {
            Some(Changed::Refused(refusal)) => Some(refusal.reason),
            _ => None,
        };
        assert!(matches!(said(0, ""), Some(Changed::Yes)));
        let wrong =
            "00000056: AtrErr: DSID-03190FA4, #1:\n\t0: 00000056: DSID-03190FA4, problem 1005 (CONSTRAINT_ATT_TYPE)";
        assert_eq!(reason(said(19, wrong)), Some(Why::Wrong));
        assert_eq!(reason(said(19, "00000775: SvcErr: DSID-031A12D2")), Some(Why::Locked));
        for (code, text) in [(19, "0000052D: AtrErr: DSID-03191041"), (53, "0000052d: SvcErr: DSID-031A129B"), (19, "")]
        {
            assert!(matches!(said(code, text), Some(Changed::Policy(_))), "{code} {text}");
        }
        for code in [1, 8, 50, 53, 80] {
            assert!(said(code, "00000005: SecErr: DSID-031A1190").is_none(), "{code}");
        }
    }
}
