//! A plan as people and programs read it.

use std::fmt;

use serde_json::{Value, json};

use super::{Drift, GroupAct, GroupStep, Plan, UserAct, UserStep};
use crate::difference::Change;

impl UserAct {
    /// The word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Adopt(_) => "link",
            Self::Update(_) => "update",
            Self::Deactivate(_) => "deactivate",
            Self::Delete(_) => "delete",
            Self::Note(_) => "note",
            Self::Forget => "forget",
            Self::Nothing => "nothing",
            Self::Refuse => "refuse",
        }
    }

    /// What changes about a user whom the app has.
    pub fn changes(&self) -> &[Change] {
        match self {
            Self::Adopt(known) | Self::Update(known) => &known.changes,
            _ => &[],
        }
    }
}

impl GroupAct {
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update(change) if change.adopted => "link",
            Self::Update(_) => "update",
            Self::Delete(_) => "delete",
            Self::Forget => "forget",
            Self::Nothing => "nothing",
            Self::Refuse => "refuse",
        }
    }

    /// Who comes and who goes.
    fn members(&self) -> (usize, usize) {
        match self {
            Self::Create(all) => (all.len(), 0),
            Self::Update(change) => (change.add.len(), change.remove.len()),
            _ => (0, 0),
        }
    }
}

impl Drift {
    pub const fn word(self) -> &'static str {
        match self {
            Self::ChangedThere => "changed there",
            Self::MissingThere => "missing there",
        }
    }
}

const fn sign(word: &str) -> char {
    match word.as_bytes() {
        b"create" => '+',
        b"link" => '=',
        b"update" => '~',
        b"deactivate" | b"delete" => '-',
        b"refuse" => '!',
        _ => ' ',
    }
}

impl fmt::Display for UserStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.act.word();
        write!(f, "{} {word} user {} ({})", sign(word), self.name, self.why)?;
        if let UserAct::Create(desired) = &self.act {
            for one in desired.values.iter().filter(|one| one.value.is_some()) {
                write!(f, "\n    {} from {}", one.path, one.claim)?;
            }
        }
        for change in self.act.changes() {
            write!(f, "\n    {}", Shown(change))?;
        }
        Ok(())
    }
}

impl fmt::Display for GroupStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.act.word();
        write!(f, "{} {word} group {} ({})", sign(word), self.name, self.why)?;
        match self.act.members() {
            (0, 0) => {}
            (add, remove) => write!(f, ": {add} members come, {remove} go")?,
        }
        Ok(())
    }
}

struct Shown<'a>(&'a Change);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change { path, before, after, claim } = self.0;
        let text = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), ToString::to_string);
        write!(f, "{path}: {} -> {}", text(before), text(after))?;
        match claim {
            Some(claim) => write!(f, ", from {claim}"),
            None => Ok(()),
        }
    }
}

impl Plan {
    /// One line for each step that does something, and what belongs to it.
    pub fn lines(&self) -> Vec<String> {
        let users = self.users.iter().filter(|step| !matches!(step.act, UserAct::Nothing | UserAct::Note(_)));
        let groups = self.groups.iter().filter(|step| step.act != GroupAct::Nothing);
        let mut lines: Vec<String> = users.map(ToString::to_string).collect();
        lines.extend(groups.map(ToString::to_string));
        if let Some(held) = &self.held {
            lines.push(format!("! nobody is removed: {held}"));
        }
        lines
    }

    /// What the app has otherwise than we left it.
    pub fn drift(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for step in &self.users {
            if let Some(drift) = step.drift {
                lines.push(format!("user {}: {}", step.name, drift.word()));
                lines.extend(step.act.changes().iter().map(|change| format!("    {}", Shown(change))));
            }
        }
        let groups = self.groups.iter().filter_map(|step| Some((step, step.drift?)));
        lines.extend(groups.map(|(step, drift)| format!("group {}: {}", step.name, drift.word())));
        lines.extend(self.strangers.iter().map(|one| format!("user {} ({}): unknown here", one.name, one.id)));
        lines
    }

    /// How many of each kind there are, of users and groups, in the order of the words.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let words = ["create", "link", "update", "deactivate", "delete", "nothing", "refuse"];
        let count = |word: &str| {
            let users = self.users.iter().map(|step| step.act.word());
            let groups = self.groups.iter().map(|step| step.act.word());
            // Who is noted or forgotten needs nothing at the app.
            let told = users.chain(groups).map(|it| if matches!(it, "note" | "forget") { "nothing" } else { it });
            told.filter(|it| *it == word).count()
        };
        words.into_iter().map(|word| (word, count(word))).collect()
    }

    pub fn json(&self) -> Value {
        let users = self.users.iter().map(|step| {
            json!({ "user": step.name, "sub": step.key.simple().to_string(), "do": step.act.word(), "why": step.why,
                "changes": changes(step), "drift": step.drift.map(Drift::word), "held": self.holds(step) })
        });
        let groups = self.groups.iter().map(|step| {
            let (add, remove) = step.act.members();
            json!({ "group": step.name, "do": step.act.word(), "why": step.why, "add": add, "remove": remove,
                "drift": step.drift.map(Drift::word) })
        });
        let strangers = self.strangers.iter().map(|one| json!({ "user": one.name, "id": one.id }));
        json!({ "users": users.collect::<Vec<_>>(), "groups": groups.collect::<Vec<_>>(),
            "unknown": strangers.collect::<Vec<_>>(), "held": self.held })
    }
}

fn changes(step: &UserStep) -> Value {
    match &step.act {
        UserAct::Create(desired) => {
            let there = desired.values.iter().filter(|one| one.value.is_some());
            there.map(|one| json!({ "path": one.path.to_string(), "after": one.value, "claim": one.claim })).collect()
        }
        act => json!(act.changes()),
    }
}
