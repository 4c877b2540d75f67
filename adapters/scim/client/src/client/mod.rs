//! Calls to an app's SCIM server, one at a time or a few beside each other. Whoever is asked to wait waits, for all of
//! the calls (RFC 6585 section 4).

pub mod find;
mod token;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fedbridge_contract::services::{CallMethod, Clock, Egress, EgressAnswer, EgressCall, EgressLimits, Rng};
use fedbridge_contract::trace::clip;
use serde_json::Value;

use crate::read::refusal;
use crate::settings::{ScimAppSettings, Update};
use token::Tokens;

/// What a page of a list may have, in octets.
const MAX_BODY: usize = 8 * 1024 * 1024;

const TIMEOUT: Duration = Duration::from_secs(20);

/// A call is tried so often.
const TRIES: u32 = 6;

/// The pause after the first failure. It doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// An app that asks for more is left alone until the next run.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// A run whose pauses are longer than this together makes room for others, and goes on later.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often it is looked whether a pause is over.
const LOOK: Duration = Duration::from_millis(20);

const SCIM: &str = "application/scim+json";

/// What a call authenticates with. It never prints itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// RFC 6750.
    Bearer(String),
    /// Of the client credentials grant.
    Client(String),
}

/// The SCIM server of one app.
pub struct Client {
    egress: Arc<dyn Egress>,
    pub settings: Arc<ScimAppSettings>,
    secret: Secret,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    tokens: Tokens,
    /// The app has said that it knows no PATCH, or the settings have.
    puts: AtomicBool,
    /// The app can't be asked with a filter.
    unfiltered: AtomicBool,
    rest: Mutex<Rest>,
    tries: u32,
}

/// Nobody calls the app before `until`, by the steady clock.
#[derive(Default)]
struct Rest {
    until: Duration,
    /// All the pauses together.
    sum: Duration,
}

/// What came of a call that was answered in earnest.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    pub status: u16,
    /// `Null` where there is none, or none that is JSON.
    pub body: Value,
}

/// Why a call came to nothing. The app's words are clipped; none of ours are secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFailed {
    /// The app has understood, and does not want to.
    #[error("the app answered {status}{}: {detail}", scim_type.as_deref().map(|word| format!(" {word}")).unwrap_or_default())]
    Refused { status: u16, scim_type: Option<String>, detail: String },
    /// Nobody knows whether it has been done.
    #[error("the app gave no answer that says what became of it: {0}")]
    Unsure(String),
    /// However often it was asked.
    #[error("the app does not answer: {0}")]
    Silent(String),
    /// It has not been done.
    #[error("{0}")]
    NotCalled(String),
    /// It asks to be left alone for longer than a run waits.
    #[error("the app asks to be left alone for {} s", .0.as_secs())]
    Rest(Duration),
}

impl CallFailed {
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether trying anything else of the run is in vain for now: it is the app, and not this one call.
    pub const fn ends_the_run(&self) -> bool {
        let refused = matches!(self, Self::Refused { status: 401 | 403 | 429 | 502 | 503 | 504, .. });
        refused || matches!(self, Self::Rest(_) | Self::NotCalled(_) | Self::Silent(_))
    }
}

/// What one try came to.
enum Tried {
    Done(Answered),
    Failed(CallFailed),
    /// After this, or after the usual pause.
    Again(CallFailed, Option<Duration>),
}

impl Client {
    pub fn new(
        egress: Arc<dyn Egress>,
        settings: Arc<ScimAppSettings>,
        secret: Secret,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Self {
        let puts = AtomicBool::new(settings.update == Update::Put);
        Self {
            egress,
            settings,
            secret,
            clock,
            rng,
            tokens: Tokens::default(),
            puts,
            unfiltered: AtomicBool::new(false),
            rest: Mutex::default(),
            tries: TRIES,
        }
    }

    /// For whoever wants to know whether the app answers, and not to wait until it does.
    #[must_use]
    pub fn without_patience(self) -> Self {
        Self { tries: 1, ..self }
    }

    pub fn puts(&self) -> bool {
        self.puts.load(Ordering::Relaxed)
    }

    /// The app knows no PATCH.
    pub fn put_from_now_on(&self) {
        self.puts.store(true, Ordering::Relaxed);
    }

    /// Calls until there is an answer in earnest. A POST that may have been done is not sent again: who sent it looks
    /// first.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn call(&self, method: CallMethod, path: &str, body: Option<&Value>) -> Result<Answered, CallFailed> {
        let mut pause = FIRST_PAUSE;
        for left in (0..self.tries).rev() {
            self.wait().await?;
            let (failed, asked) = match self.once(method, path, body).await {
                Tried::Done(answered) => return Ok(answered),
                Tried::Failed(failed) => return Err(failed),
                Tried::Again(failed, asked) => (failed, asked),
            };
            match asked {
                Some(asked) if asked > LONGEST_PAUSE => return Err(CallFailed::Rest(asked)),
                _ if left == 0 => return Err(failed),
                asked => self.rest_for(asked.unwrap_or(Duration::ZERO).max(self.jittered(pause))),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(CallFailed::NotCalled("no try was left".to_owned()))
    }

    async fn once(&self, method: CallMethod, path: &str, body: Option<&Value>) -> Tried {
        let token = match self.token().await {
            Ok(token) => token,
            Err(failed) => return Tried::Failed(failed),
        };
        let mut headers =
            vec![("accept".to_owned(), SCIM.to_owned()), ("authorization".to_owned(), format!("Bearer {token}"))];
        if body.is_some() {
            headers.push(("content-type".to_owned(), SCIM.to_owned()));
        }
        let url = format!("{}/{path}", self.settings.base_url);
        let call = EgressCall { method, url, headers, body: body.map(Value::to_string) };
        let limits = EgressLimits { max_body: MAX_BODY, timeout: TIMEOUT };
        match self.egress.call(&call, limits).await {
            Ok(answer) => self.weigh(method, &answer, &token).await,
            // It had no answer, or one that was cut off: who can ask twice asks twice.
            Err(error) if error.silent => match method {
                CallMethod::Post => Tried::Failed(CallFailed::Unsure(clip(error.to_string()))),
                _ => Tried::Again(CallFailed::Silent(clip(error.to_string())), None),
            },
            Err(error) if method == CallMethod::Get => Tried::Failed(CallFailed::NotCalled(clip(error.to_string()))),
            Err(error) => Tried::Failed(CallFailed::Unsure(clip(error.to_string()))),
        }
    }

    async fn weigh(&self, method: CallMethod, answer: &EgressAnswer, token: &str) -> Tried {
        let status = answer.status;
        let (scim_type, detail) = refusal(&answer.body);
        let refused = CallFailed::Refused { status, scim_type: scim_type.map(clip), detail: clip(detail) };
        match status {
            200..=299 => {
                Tried::Done(Answered { status, body: serde_json::from_slice(&answer.body).unwrap_or_default() })
            }
            // It was not even looked at.
            429 => Tried::Again(refused, answer.retry_after),
            401 if self.tokens.forget(token).await => Tried::Again(refused, None),
            500 | 502 | 503 | 504 if method == CallMethod::Post => {
                if let Some(asked) = answer.retry_after.filter(|asked| *asked <= LONGEST_PAUSE) {
                    self.rest_for(asked);
                }
                Tried::Failed(CallFailed::Unsure(clip(refused.to_string())))
            }
            500 | 502 | 503 | 504 => Tried::Again(refused, answer.retry_after),
            _ => Tried::Failed(refused),
        }
    }

    /// A pause that nobody else makes at the same time: from a half of it to the whole.
    pub fn jittered(&self, pause: Duration) -> Duration {
        let mut octet = [0];
        self.rng.fill(&mut octet);
        pause / 2 + pause / 2 * u32::from(octet[0]) / 255
    }

    /// Nobody calls for so long.
    pub fn rest_for(&self, pause: Duration) {
        let now = self.clock.steady();
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, until) = (rest.until.max(now), rest.until.max(now + pause));
        rest.sum += until - before;
        rest.until = until;
    }

    /// # Errors
    /// [`CallFailed::Rest`]: the run has waited for long enough, and goes on later.
    async fn wait(&self) -> Result<(), CallFailed> {
        loop {
            let left = {
                let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
                let left = rest.until.saturating_sub(self.clock.steady());
                if !left.is_zero() && rest.sum > PATIENCE {
                    return Err(CallFailed::Rest(left));
                }
                left
            };
            if left.is_zero() {
                return Ok(());
            }
            // The clock is an argument, so it is looked at again and again.
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }
}
