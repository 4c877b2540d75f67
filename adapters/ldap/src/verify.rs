//! From a name and a password to the identity: the entry is found, the password is asked about, and everything that
//! would keep the person out is looked at, in this order.

use fedbridge_contract::identity::{
    Attributes, AuthenticatedIdentity, AuthnFacts, Onward, UpstreamSession, UpstreamSubject, UpstreamTokens,
};
use fedbridge_contract::password::{Attempt, Password, PasswordOutcome, PasswordRefusal, PasswordWarning, Why};
use fedbridge_contract::proof::Minter;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;

use crate::accounts::Seen;
use crate::codes::{self, Verdict};
use crate::directory::{Directory, Told, Trouble};
use crate::find::{self, Found};
use crate::names::{self, Typed};
use crate::ppolicy::Policy;
use crate::state::{self, Barred};
use crate::wire::{BindResult, Entry};
use crate::{attributes, groups, key, lockout, refresh};

/// Where the check of a password stops.
pub(crate) enum Stop {
    Refused(PasswordRefusal),
    /// The password is right, and must be changed.
    MustChange {
        key: String,
        place: String,
    },
    Trouble(Trouble),
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// Checks a name and a password, and says who it is.
pub(crate) async fn verify(
    directory: &Directory,
    attempt: Attempt<'_>,
    minter: Minter,
    trace: &mut TraceLog,
) -> PasswordOutcome {
    let mut told = Told { now: attempt.now, trace };
    match check(directory, &attempt, &mut told).await {
        Ok(login) => {
            let warning = login.warning;
            PasswordOutcome::Accepted { identity: Box::new(login.identity(minter)), warning }
        }
        Err(Stop::Refused(refusal)) => PasswordOutcome::Rejected(refusal),
        Err(Stop::MustChange { key, place }) => PasswordOutcome::MustChange { key, place },
        Err(Stop::Trouble(trouble)) => PasswordOutcome::Unavailable(trouble.public()),
    }
}

/// An identity without the proof.
struct Login {
    subject: UpstreamSubject,
    attributes: Attributes,
    tokens: Option<UpstreamTokens>,
    warning: Option<PasswordWarning>,
    at: Timestamp,
}

impl Login {
    fn identity(self, minter: Minter) -> AuthenticatedIdentity {
        AuthenticatedIdentity {
            subject: self.subject,
            attributes: self.attributes,
            authn: AuthnFacts {
                auth_time: self.at,
                auth_time_said: true,
                acr: None,
                // RFC 8176 section 2.
                amr: vec!["pwd".to_owned()],
                authority: None,
                authorities: Vec::new(),
            },
            session: UpstreamSession::default(),
            onward: Onward::Unrestricted,
            once: Vec::new(),
            tokens: self.tokens,
            proof: minter.mint(),
        }
    }
}

async fn check(directory: &Directory, attempt: &Attempt<'_>, told: &mut Told<'_>) -> Result<Login, Stop> {
    let typed = understood(directory, attempt.name, told)?;
    lockout::learn(directory, told).await;
    let (entry, verdict) = match &typed {
        Typed::At(dn) if !directory.has_account => own(directory, dn, attempt.password, told).await?,
        _ => {
            let entry = found(find::typed(directory, &typed, told).await?)?;
            let result = directory.bind(&entry.dn, attempt.password, None, told).await?;
            (entry, judged(&result, told))
        }
    };
    let (warning, must_change) = match verdict {
        Verdict::Right { warning } => (warning, None),
        Verdict::MustChange { code, .. } => (None, Some(code)),
        Verdict::No { refusal, .. } => return Err(Stop::Refused(refusal)),
        Verdict::Trouble(why) => return Err(Stop::Trouble(Trouble(why))),
    };
    let subject = subject(directory, &entry, told)?;
    admitted(directory, &entry, &subject, must_change, told).await?;
    let groups = groups::of(directory, &entry, told).await?;
    let settings = &directory.settings;
    let attributes = attributes::of(settings, &entry, groups.as_deref(), told.trace)?;
    let seen = Seen { place: entry.dn.clone(), barred: None, at: directory.services.clock.steady() };
    directory.accounts.saw(&subject.key, seen, settings.state_age);
    let tokens = refresh::to_ask_again(settings, &entry.dn);
    Ok(Login { subject, attributes, tokens, warning, at: attempt.now })
}

fn understood(directory: &Directory, name: &str, told: &mut Told<'_>) -> Result<Typed, Stop> {
    names::read(&directory.settings.users, name).map_err(|why| {
        told.trace.check("Name", "connection setting users.bind", "a name of this connection", why, false);
        Stop::Refused(PasswordRefusal { reason: Why::Form, upstream_code: "not asked".to_owned() })
    })
}

fn found(found: Found) -> Result<Entry, Stop> {
    match found {
        Found::One(entry) => Ok(entry),
        Found::Nobody(_) => {
            Err(Stop::Refused(PasswordRefusal { reason: Why::Unknown, upstream_code: "not found".to_owned() }))
        }
    }
}

/// Binds at a DN that follows from the name, and reads the entry as the person: nobody else may be able to.
async fn own(
    directory: &Directory,
    dn: &str,
    password: &Password,
    told: &mut Told<'_>,
) -> Result<(Entry, Verdict), Stop> {
    find::placed(&directory.settings.users, dn, told).map_or(Ok(()), |nobody| found(nobody).map(drop))?;
    let (result, session) = directory.bind_for_more(dn, password, told).await?;
    let verdict = judged(&result, told);
    let Some(mut session) = session else {
        // Without its entry nobody can be told apart from others by a key: a password that must be changed is one
        // that has to be changed elsewhere.
        return Err(match verdict {
            Verdict::No { refusal, .. } => Stop::Refused(refusal),
            Verdict::MustChange { code, .. } => {
                Stop::Refused(PasswordRefusal { reason: Why::PasswordExpired, upstream_code: code })
            }
            Verdict::Trouble(why) => Stop::Trouble(Trouble(why)),
            Verdict::Right { .. } => Stop::Trouble(Trouble("the connection ended after the bind".to_owned())),
        });
    };
    let entry = find::as_person(directory, dn, &mut session, told).await?;
    Ok((found(entry)?, verdict))
}

/// What the server's answer to a bind means, told with its reason.
pub(crate) fn judged(result: &BindResult, told: &mut Told<'_>) -> Verdict {
    let policy = Policy::of(&result.controls);
    if policy.unreadable {
        told.trace.decide("password policy", "a control of the answer can't be read, and is left alone", true);
    }
    let verdict = codes::of_bind(result.code.0, &result.diagnostic, &policy);
    let (actual, right) = match &verdict {
        Verdict::Right { warning: None } => ("right".to_owned(), true),
        Verdict::Right { warning: Some(PasswordWarning::ExpiresIn { seconds }) } => {
            (format!("right, and expires in {seconds} s"), true)
        }
        Verdict::Right { warning: Some(PasswordWarning::GraceLogins { left }) } => {
            (format!("right, and expired: {left} more logins"), true)
        }
        Verdict::MustChange { code, means } => (format!("{code}: {means}"), false),
        Verdict::No { refusal, means } => (format!("{}: {means}", refusal.upstream_code), false),
        Verdict::Trouble(why) => (why.clone(), false),
    };
    told.trace.check("Password", "RFC 4511 4.2.2", "right", actual, right);
    verdict
}

fn subject(directory: &Directory, entry: &Entry, told: &mut Told<'_>) -> Result<UpstreamSubject, Trouble> {
    let source = "connection setting users.key";
    match key::subject(&directory.settings.users, entry) {
        Ok(subject) => {
            told.trace.decide("Subject", subject.key.clone(), true);
            Ok(subject)
        }
        Err(why) => {
            told.trace.check("Subject", source, "one value that stays with the person", &why, false);
            Err(Trouble(format!("{}: no key: {why}", entry.dn)))
        }
    }
}

/// Whether the state of the account lets somebody with the right password in. `must_change`: the server's word that it
/// is good for nothing but to be changed.
async fn admitted(
    directory: &Directory,
    entry: &Entry,
    subject: &UpstreamSubject,
    must_change: Option<String>,
    told: &mut Told<'_>,
) -> Result<(), Stop> {
    let barred = standing(directory, entry, told).await?;
    match (barred, must_change) {
        // An expired password is what is about to be changed.
        (Some(barred), Some(_)) if barred.why != Why::PasswordExpired => Err(Stop::Refused(refusal(barred))),
        (_, Some(code)) if !directory.settings.password_change => {
            Err(Stop::Refused(PasswordRefusal { reason: Why::PasswordExpired, upstream_code: code }))
        }
        (_, Some(_)) => Err(Stop::MustChange { key: subject.key.clone(), place: entry.dn.clone() }),
        (Some(barred), None) => Err(Stop::Refused(refusal(barred))),
        (None, None) => Ok(()),
    }
}

/// What keeps an account out whose password is right. A lock by wrong passwords may have been over with this bind:
/// then it is looked at again.
pub(crate) async fn standing(
    directory: &Directory,
    entry: &Entry,
    told: &mut Told<'_>,
) -> Result<Option<Barred>, Trouble> {
    let mut barred = state::barred(entry, told.now);
    if barred.as_ref().is_some_and(|barred| barred.passing)
        && let Found::One(entry) = find::again(directory, &entry.dn, told).await?
    {
        barred = state::barred(&entry, told.now);
    }
    tell_standing(barred.as_ref(), told);
    Ok(barred)
}

pub(crate) fn tell_standing(barred: Option<&Barred>, told: &mut Told<'_>) {
    let says = barred.map_or("nothing", |barred| &barred.says);
    told.trace.check("Account", "attributes of the entry", "nothing that keeps it out", says, barred.is_none());
}

pub(crate) fn refusal(barred: Barred) -> PasswordRefusal {
    PasswordRefusal { reason: barred.why, upstream_code: barred.says }
}
