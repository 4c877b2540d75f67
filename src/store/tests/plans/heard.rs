//! What the databases say while requests run, out of the program's own tracing.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, Once};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[derive(Clone, Copy)]
pub enum Heard {
    /// The text of each statement, once.
    Sqlite,
    /// Each plan, with what it did.
    Postgres,
}

static SQLITE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static POSTGRES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Listens from now on, for all tests of this process.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Ear).unwrap());
}

pub fn take(whose: Heard) -> Vec<String> {
    match whose {
        Heard::Sqlite => std::mem::take(&mut *SQLITE.lock().unwrap()).into_iter().collect(),
        Heard::Postgres => std::mem::take(&mut *POSTGRES.lock().unwrap()),
    }
}

struct Ear;

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("fedbridge_store::sqlite") || metadata.target() == "sqlx::postgres::notice"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Reader);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Reader;

impl Visit for Reader {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "sql" => drop(SQLITE.lock().unwrap().insert(value.to_owned())),
            // `duration: 0.1 ms  plan:`, and the plan.
            "message" => {
                if let Some((_, plan)) = value.split_once("plan:") {
                    POSTGRES.lock().unwrap().push(plan.to_owned());
                }
            }
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
