//! What an operator reads afterwards about a partner's document: a trace of the kind `metadata`, with
//! every difference, what made us look, and what came of it. A look that found nothing new leaves none.

use fedbridge_contract::documents::Drift;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::services::TraceEvent;
use fedbridge_contract::trace::{Outcome, TraceLog, clip};
use fedbridge_hub::ports::StoredDocument;
use openssl::sha::sha256;

use super::{Keeper, unread};

/// What made us look, or decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    Schedule,
    /// A message of the partner was signed with a key that its document does not have.
    UnknownKey,
    /// A login can't begin without it.
    Login,
    /// Somebody ran this command.
    Command(&'static str),
}

impl Trigger {
    fn words(self) -> String {
        match self {
            Self::Schedule => "the schedule".to_owned(),
            Self::UnknownKey => "a message signed with a key that is not known".to_owned(),
            Self::Login => "a login that waits for it".to_owned(),
            Self::Command(command) => format!("the command `fedbridge {command}`"),
        }
    }
}

/// What came of a document.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate<'a> {
    Adopted,
    Held,
    Approved,
    Rejected,
    /// It waited, and what is in force is published again.
    Withdrawn,
    /// It can't be used.
    Refused(&'a [Complaint]),
    /// There was none to be had.
    Missing(&'a str),
}

impl Fate<'_> {
    fn outcome(self) -> Outcome {
        match self {
            Self::Adopted | Self::Approved => Outcome::Success,
            Self::Held | Self::Rejected | Self::Withdrawn | Self::Refused(_) => Outcome::Refused,
            Self::Missing(_) => Outcome::Error,
        }
    }

    fn words(self, unread: bool) -> &'static str {
        match self {
            Self::Held if unread => "waits for approval; there is none in force yet",
            Self::Rejected if unread => "rejected; there is none in force yet",
            Self::Refused(_) if unread => "can't be used; there is none in force yet",
            Self::Missing(_) if unread => "could not be fetched; there is none in force yet",
            Self::Adopted => "in force, because nothing in it is weaker",
            Self::Held => "waits for approval; the last one stays in force",
            Self::Approved => "approved, and in force",
            Self::Rejected => "rejected; the last one stays in force",
            Self::Withdrawn => "is not published any more, so it does not wait any longer",
            Self::Refused(_) => "can't be used; the last one stays in force",
            Self::Missing(_) => "could not be fetched; the last one stays in force",
        }
    }
}

impl Keeper {
    /// Records what came of a document. `xml` is the new one, where there is one.
    pub(super) fn record(
        &self,
        document: &StoredDocument,
        trigger: Trigger,
        xml: Option<&str>,
        drift: &[Drift],
        fate: Fate<'_>,
    ) {
        let now = self.services.clock.now();
        let mut steps = TraceLog::new();
        let mut facts = vec![("address", document.url.clone()), ("because of", trigger.words())];
        if let Some(xml) = xml {
            facts.push(("octets", xml.len().to_string()));
            facts.push(("SHA-256", hexadecimal(&sha256(xml.as_bytes()))));
        }
        let usable = !matches!(fate, Fate::Refused(_) | Fate::Missing(_));
        steps.received(now, "a partner's metadata", usable, facts);
        for drift in drift {
            steps.change(drift);
        }
        match fate {
            Fate::Refused(complaints) => {
                for complaint in complaints {
                    steps.decide(&complaint.path, complaint.message.clone(), false);
                }
            }
            Fate::Missing(cause) => drop(steps.decide("fetch", cause, false)),
            _ => {}
        }
        let outcome = fate.outcome();
        let words = fate.words(unread(document));
        steps.decide("the new document", words, outcome == Outcome::Success);
        let (connection, app) = self.names(document);
        self.services.traces.record(TraceEvent {
            tenant: document.tenant,
            id: TraceId::at(now, self.services.rng.as_ref()),
            at: now,
            kind: "metadata",
            app,
            connection,
            person: None,
            peer: None,
            outcome,
            cause: summary(drift, fate, words),
            steps,
        });
    }

    /// The slug of the connection, or the name of the app.
    fn names(&self, document: &StoredDocument) -> (Option<String>, Option<String>) {
        let snapshot = self.snapshots.current();
        let Some(open) = snapshot.tenant(document.tenant) else {
            return (None, None);
        };
        match document.party {
            Party::Connection(id) => (open.connections.get(&id).map(|found| found.view.slug.clone()), None),
            Party::App(id) => (None, open.apps.get(&id).map(|found| found.view.name.clone())),
        }
    }
}

/// One line for the list: what came of it, and the first thing that says why.
fn summary(drift: &[Drift], fate: Fate<'_>, words: &str) -> String {
    let why = match fate {
        Fate::Refused(complaints) => complaints.first().map(ToString::to_string),
        Fate::Missing(cause) => Some(cause.to_owned()),
        _ => {
            let weightiest = drift.iter().max_by_key(|drift| drift.effect);
            weightiest.map(|first| match drift.len() - 1 {
                0 => first.to_string(),
                more => format!("{first}, and {more} more"),
            })
        }
    };
    why.map_or_else(|| words.to_owned(), |why| clip(format!("{words}: {why}")))
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
