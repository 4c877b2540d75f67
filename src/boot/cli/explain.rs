//! `users explain`: what upstreams say of a person, what is kept of it, which request made it what it is, and what apps
//! were told.

use std::sync::Arc;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::push::Origin;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, clip, visible};
use fedbridge_hub::run::TenantSnapshot;
use fedbridge_hub::run::explain::{Explained, Next, RecordTruth, SourceKind, SourceTruth, TokenTruth};
use serde_json::{Value, json};

use crate::foundation::Foundation;
use crate::wiring::Wired;

use super::CliError;
use super::output::{escaped, table};
use super::revoke::absent;

/// Gives back what is printed.
pub async fn explain(
    foundation: &Foundation,
    wired: &Wired,
    (tenant, person): (&Arc<TenantSnapshot>, PersonId),
    as_json: bool,
) -> Result<String, CliError> {
    let now = foundation.clock.now();
    let found = wired.hub.explained(foundation.system.as_ref(), tenant, person, now).await?;
    let found = found.ok_or_else(|| absent("user", &person.to_string()))?;
    Ok(if as_json { escaped(&format!("{:#}\n", in_json(&found))) } else { in_words(&found) })
}

fn in_words(found: &Explained) -> String {
    let mut text = format!("{}\n", found.person);
    let mut line = |words: String| text.push_str(&format!("  {words}\n"));
    if found.disabled {
        line("disabled by an administrator".to_owned());
    }
    if let Some(since) = found.switched_off {
        line(format!("switched off by the directory that pushes them, since {}", since.rfc3339_seconds()));
    }
    if !found.disabled && found.switched_off.is_none() {
        line("nobody keeps them out".to_owned());
    }
    if let Some(number) = found.posix_number {
        line(format!("POSIX number {number}"));
    }
    if found.sources.is_empty() {
        line(
            "what upstreams say is not kept: the tenant shows no directory, or there was no login since it does".into(),
        );
    }
    found.records.iter().for_each(|record| text.push_str(&pushed(record)));
    found.sources.iter().for_each(|source| text.push_str(&said(source)));
    text.push_str(&claims(found));
    text
}

fn pushed(record: &RecordTruth) -> String {
    let state = if record.active { "switched on" } else { "switched off" };
    let mut text = format!(
        "\npushed to {}: {state}, version {}, changed {} (record {})\n",
        record.connection,
        record.version,
        record.modified.rfc3339_seconds(),
        record.id
    );
    let origin = |origin: &Option<Origin>| match origin {
        Some(Origin { at, txn, by }) => [at.rfc3339_seconds(), txn.to_string(), clip(visible(by.clone()))],
        None => ["before this was noted".to_owned(), String::new(), String::new()],
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for attribute in &record.attributes {
        let stored = match (&attribute.stored, attribute.path.as_str()) {
            (Some(value), _) => shown(value),
            (None, "password") => "never shown".to_owned(),
            (None, _) => "taken away".to_owned(),
        };
        rows.push([vec![clip(visible(attribute.path.clone())), stored], origin(&attribute.origin).to_vec()].concat());
    }
    let groups = if record.groups.is_empty() { "none".to_owned() } else { record.groups.join(" | ") };
    let regrouped = match &record.regrouped {
        Some(by) => vec![by.at.rfc3339_seconds(), by.txn.to_string(), String::new()],
        None => vec![String::new(); 3],
    };
    rows.push([vec!["groups".to_owned(), clip(visible(groups))], regrouped].concat());
    text.push_str(&indented(&table(&["ATTRIBUTE", "STORED", "LAST CHANGED", "BY REQUEST", "WITH"], &rows)));
    let rows: Vec<Vec<String>> = record
        .requests
        .iter()
        .map(|request| {
            let said =
                if request.cause.is_empty() { result(request.outcome).to_owned() } else { request.cause.clone() };
            vec![request.at.rfc3339_seconds(), request.txn.to_string(), clip(visible(said))]
        })
        .collect();
    if !rows.is_empty() {
        text.push_str(&indented(&table(&["LAST REQUESTS", "TRACE", "RESULT"], &rows)));
    }
    text
}

fn said(source: &SourceTruth) -> String {
    let how = how(source.by);
    let mut text = format!("\n{}, by a {how}, since {}\n", source.connection, source.changed.rfc3339_seconds());
    let mut line = |key: &str, value: String| text.push_str(&format!("  {key:<10} {}\n", clip(visible(value))));
    line("subject", source.subject.clone());
    if let Some(place) = &source.place {
        line("entry", place.clone());
    }
    line("state", source.kept_out.clone().map_or_else(|| "comes in".to_owned(), |why| format!("kept out: {why}")));
    for (claim, value) in source.claims.iter() {
        line("claim", format!("{claim} = {value}"));
    }
    for (name, values) in source.attributes.iter() {
        line("attribute", format!("{name}: {}", values.join(" | ")));
    }
    text
}

/// Who says what, and what apps were told. What an app will be told from now on stands behind an arrow where it is
/// something else.
fn claims(found: &Explained) -> String {
    if found.claims.is_empty() {
        return String::new();
    }
    let mut head = vec!["CLAIM".to_owned()];
    head.extend(found.sources.iter().map(|source| format!("{} ({})", source.connection, how(source.by))));
    head.extend(found.tokens.iter().map(|token| format!("TOKEN OF {}", visible(token.app.clone()))));
    let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), shown);
    let rows: Vec<Vec<String>> = found
        .claims
        .iter()
        .map(|claim| {
            let mut row = vec![clip(visible(claim.claim.clone()))];
            row.extend(claim.sources.iter().map(value));
            for ((was, next), token) in claim.tokens.iter().zip(&found.tokens) {
                let changes = matches!(token.next, Next::Others(_)) && was != next;
                row.push(if changes { format!("{} -> {}", value(was), value(next)) } else { value(was) });
            }
            row
        })
        .collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut text = format!("\nclaims\n{}", indented(&table(&head, &rows)));
    for token in &found.tokens {
        let given = token.given.rfc3339_seconds();
        let next = match &token.next {
            Next::Same => "the next token carries the same".to_owned(),
            Next::Others(_) => "the next token carries what stands behind the arrows".to_owned(),
            Next::Refused(why) => format!("there is no next token: {why}"),
            Next::Unknown(why) => format!("what the next token carries can't be said now: {why}"),
        };
        text.push_str(&format!(
            "  {}: logged in by {} at {given}; {}\n",
            visible(token.app.clone()),
            token.connection,
            clip(next)
        ));
    }
    text
}

fn how(by: SourceKind) -> &'static str {
    match by {
        SourceKind::Login => "login",
        SourceKind::Sync => "sync",
        SourceKind::Push => "push",
    }
}

fn result(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "done",
        Outcome::Refused => "refused",
        Outcome::Error => "failed",
    }
}

fn shown(value: &Value) -> String {
    clip(visible(match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }))
}

fn indented(table: &str) -> String {
    table.lines().map(|line| format!("  {line}\n")).collect()
}

fn in_json(found: &Explained) -> Value {
    json!({
        "user": found.person.to_string(),
        "disabled": found.disabled,
        "switched_off": found.switched_off.map(Timestamp::rfc3339),
        "posix_number": found.posix_number,
        "records": found.records.iter().map(record_json).collect::<Vec<_>>(),
        "sources": found.sources.iter().map(source_json).collect::<Vec<_>>(),
        "tokens": found.tokens.iter().map(token_json).collect::<Vec<_>>(),
        "claims": found.claims.iter().map(|claim| json!({
            "claim": claim.claim,
            "sources": claim.sources,
            "tokens": claim.tokens.iter().map(|(last, next)| json!({ "last": last, "next": next })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

fn record_json(record: &RecordTruth) -> Value {
    let origin =
        |origin: &Origin| json!({ "at": origin.at.rfc3339(), "request": origin.txn.to_string(), "with": origin.by });
    json!({
        "connection": record.connection,
        "id": record.id.to_string(),
        "active": record.active,
        "version": record.version,
        "modified": record.modified.rfc3339(),
        "attributes": record.attributes.iter().map(|attribute| json!({
            "path": attribute.path,
            "stored": attribute.stored,
            "changed": attribute.origin.as_ref().map(origin),
        })).collect::<Vec<_>>(),
        "groups": record.groups,
        "groups_changed": record.regrouped.as_ref().map(|by| json!({
            "at": by.at.rfc3339(),
            "request": by.txn.to_string(),
        })),
        "requests": record.requests.iter().map(|request| json!({
            "request": request.txn.to_string(),
            "at": request.at.rfc3339(),
            "result": result(request.outcome),
            "cause": request.cause,
        })).collect::<Vec<_>>(),
    })
}

fn source_json(source: &SourceTruth) -> Value {
    json!({
        "connection": source.connection,
        "by": how(source.by),
        "subject": source.subject,
        "entry": source.place,
        "changed": source.changed.rfc3339(),
        "kept_out": source.kept_out,
        "claims": source.claims,
        "attributes": source.attributes,
    })
}

fn token_json(token: &TokenTruth) -> Value {
    let (is, claims, why): (&str, Option<&Claims>, Option<&String>) = match &token.next {
        Next::Same => ("same", None, None),
        Next::Others(claims) => ("others", Some(claims), None),
        Next::Refused(why) => ("refused", None, Some(why)),
        Next::Unknown(why) => ("unknown", None, Some(why)),
    };
    json!({
        "client": token.app,
        "connection": token.connection,
        "logged_in": token.given.rfc3339(),
        "claims": token.claims,
        "next": { "is": is, "claims": claims, "why": why },
    })
}
