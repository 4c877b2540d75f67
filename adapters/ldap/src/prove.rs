//! The password alone, of somebody who is known: one round trip, as long as what is known is young.

use fedbridge_contract::password::{PasswordRefusal, PasswordWarning, Prove, Proved, Why};
use fedbridge_contract::trace::TraceLog;

use crate::accounts::Seen;
use crate::codes::Verdict;
use crate::directory::{Directory, Told, Trouble};
use crate::find::{self, Found};
use crate::lockout;
use crate::state::{self, Barred};
use crate::verify::{judged, refusal, standing};

/// Asks whether the password is that of the entry with this key. A DN is given to the next person, so it is believed
/// only as long as the entry was seen there within `state_age`.
pub(crate) async fn prove(directory: &Directory, asked: Prove<'_>, trace: &mut TraceLog) -> Proved {
    let mut told = Told { now: asked.now, trace };
    match check(directory, &asked, &mut told).await {
        Ok(Answer::Yes { place, warning }) => {
            Proved::Yes { moved: (asked.known.place != Some(place.as_str())).then_some(place), warning }
        }
        Ok(Answer::No(refusal)) => Proved::No(refusal),
        Err(trouble) => Proved::Unavailable(trouble.public()),
    }
}

enum Answer {
    Yes { place: String, warning: Option<PasswordWarning> },
    No(PasswordRefusal),
}

// Most binds need one round trip and nothing else: all other ways lie in memory of their own, so that this one is short.
async fn check(directory: &Directory, asked: &Prove<'_>, told: &mut Told<'_>) -> Result<Answer, Trouble> {
    let known = asked.known;
    lockout::learn(directory, told).await;
    let (age, steady) = (directory.settings.state_age, directory.services.clock.steady());
    if let Some(seen) = directory.accounts.fresh(known.key, steady, age) {
        let answer = bind(directory, &seen, asked, told).await?;
        if matches!(answer, Answer::Yes { .. }) {
            return Ok(answer);
        }
        // It may have moved meanwhile: nothing is lost by looking, and a second try at another place is no second
        // wrong password.
        return match Box::pin(look(directory, known.key, told)).await? {
            Some(now) if now.place != seen.place => Box::pin(bind(directory, &now, asked, told)).await,
            _ => Ok(answer),
        };
    }
    match Box::pin(look(directory, known.key, told)).await? {
        Some(seen) => Box::pin(bind(directory, &seen, asked, told)).await,
        None => Ok(Answer::No(PasswordRefusal { reason: Why::Unknown, upstream_code: "not found".to_owned() })),
    }
}

/// Where the entry is, and how it stands.
async fn look(directory: &Directory, key: &str, told: &mut Told<'_>) -> Result<Option<Seen>, Trouble> {
    let at = directory.services.clock.steady();
    let Found::One(entry) = find::known(directory, key, told).await? else {
        directory.accounts.forget(key);
        return Ok(None);
    };
    let seen = Seen { place: entry.dn.clone(), barred: state::barred(&entry, told.now), at };
    directory.accounts.saw(key, seen.clone(), directory.settings.state_age);
    Ok(Some(seen))
}

async fn bind(directory: &Directory, seen: &Seen, asked: &Prove<'_>, told: &mut Told<'_>) -> Result<Answer, Trouble> {
    let result = directory.bind(&seen.place, asked.password, asked.thread, told).await?;
    match judged(&result, told) {
        Verdict::Right { warning } => match still_barred(directory, seen, told).await? {
            None => Ok(Answer::Yes { place: seen.place.clone(), warning }),
            Some(barred) => Ok(Answer::No(refusal(barred))),
        },
        Verdict::MustChange { code, .. } => {
            Ok(Answer::No(PasswordRefusal { reason: Why::PasswordExpired, upstream_code: code }))
        }
        Verdict::No { refusal, .. } => Ok(Answer::No(refusal)),
        Verdict::Trouble(why) => Err(Trouble(why)),
    }
}

async fn still_barred(directory: &Directory, seen: &Seen, told: &mut Told<'_>) -> Result<Option<Barred>, Trouble> {
    match &seen.barred {
        Some(barred) if barred.passing => match Box::pin(find::again(directory, &seen.place, told)).await? {
            Found::One(entry) => Box::pin(standing(directory, &entry, told)).await,
            Found::Nobody(_) => Ok(Some(barred.clone())),
        },
        other => Ok(other.clone()),
    }
}
