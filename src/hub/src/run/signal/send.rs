//! Pushing what waits (RFC 8935): in order for each person, again and again until the receiver has it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::config::{App, AppKind};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::logout::Party;
use fedbridge_contract::services::{Egress, EgressLimits, EgressPost};
use fedbridge_contract::signals::{Delivery, Signal, SignalTransmitter, StreamStatus};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;

use crate::ports::{SignalOutbox, TakenReceiver};
use crate::run::Hub;
use crate::run::snapshot::TenantSnapshot;

/// How often receivers are looked for that have something to hear.
const LOOK: Duration = Duration::from_millis(500);

/// One node has a receiver for this long: longer than a round takes.
const LEASE: Duration = Duration::from_secs(60);

/// No call of a round begins later than this.
const ROUND: Duration = Duration::from_secs(40);

/// Receivers of one look, those that are served at a time, and signals of one round.
const RECEIVERS: u32 = 32;
const AT_ONCE: usize = 256;
const MOST: u32 = 128;

const CALL: EgressLimits = EgressLimits { max_body: 64 * 1024, timeout: Duration::from_secs(10) };

/// Where the settings of a receiver can't be read, it is looked at again after this.
const BROKEN: Duration = Duration::from_secs(60);

/// What came of one call.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Taken,
    /// It will never take this one.
    Refused(String),
    Later(String),
}

impl Hub {
    /// Pushes what waits, for ever. The server runs it in the background.
    pub async fn run_signals(&self, outbox: &dyn SignalOutbox) {
        // A receiver that is slow holds nobody else up: the looks go on while it is served.
        let mut served = FuturesUnordered::new();
        loop {
            if served.len() < AT_ONCE {
                match outbox.take(self.services.clock.now(), LEASE, RECEIVERS).await {
                    Ok(taken) => served.extend(taken.into_iter().map(|taken| self.serve(outbox, taken))),
                    Err(error) => tracing::warn!(%error, "signals that wait could not be looked for"),
                }
            }
            let _ = tokio::time::timeout(LOOK, async {
                while let Some(done) = served.next().await {
                    if let Err(error) = done {
                        tracing::warn!(%error, "what a receiver of signals has could not be noted");
                    }
                }
                // Nobody is served: until the next look.
                std::future::pending::<()>().await;
            })
            .await;
        }
    }

    /// One round of everybody who has something to hear, for tests and tools. Gives back how many signals receivers have now.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn send_signals(&self, outbox: &dyn SignalOutbox) -> Result<usize, StoreError> {
        let taken = outbox.take(self.services.clock.now(), LEASE, RECEIVERS).await?;
        let mut sent = 0;
        for served in join_all(taken.into_iter().map(|taken| self.serve(outbox, taken))).await {
            sent += served?;
        }
        Ok(sent)
    }

    async fn serve(&self, outbox: &dyn SignalOutbox, mut taken: TakenReceiver) -> Result<usize, StoreError> {
        let now = self.services.clock.now();
        let snapshot = self.snapshots.current();
        let tenant = snapshot.tenant(taken.tenant);
        let app = tenant.and_then(|tenant| tenant.view.app_by_id(taken.app));
        let transmitter = self.downstream(AppKind::SignalReceiver).and_then(|it| it.signals());
        let (Some(tenant), Some(app), Some(transmitter)) = (tenant, app, transmitter) else {
            outbox.give_back(taken, now + BROKEN).await?;
            return Ok(0);
        };
        let expired = outbox.drop_waiting(taken, Some(now)).await?;
        if expired > 0 {
            tracing::error!(tenant = %tenant.view.slug, receiver = %app.name, count = expired, "signals were given up: the receiver has not taken them in time");
            self.observer.signals("expired", expired);
        }
        let stream = transmitter.stream(app, self.services.signals.stream(taken.tenant, taken.app).await?);
        let push = match stream {
            Some(stream) if app.enabled => match (stream.status, stream.delivery.clone()) {
                (StreamStatus::Enabled, Delivery::Push { url, authorization }) => {
                    // The administrator's secret goes where the administrator has said, and nowhere else.
                    let is_written = transmitter.written_url(app).is_some_and(|written| written == url);
                    let own = tenant.apps.get(&app.id).filter(|_| is_written);
                    let own = own.and_then(|open| open.push_authorization.clone());
                    Some((stream, url, authorization.or(own)))
                }
                (StreamStatus::Enabled | StreamStatus::Paused, _) => {
                    outbox.park(taken).await?;
                    None
                }
                (StreamStatus::Disabled, _) => outbox.drop_waiting(taken, None).await.map(|_| None)?,
            },
            // Nobody listens.
            _ => outbox.drop_waiting(taken, None).await.map(|_| None)?,
        };
        let Some((stream, url, authorization)) = push else {
            outbox.give_back(taken, now).await?;
            return Ok(0);
        };
        let waiting = self.services.signals.waiting(taken.tenant, taken.app, MOST, now).await?;
        let (wanted, unwanted): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|one| stream.wants(&one.event));
        let unwanted: Vec<_> = unwanted.iter().map(|one| one.id).collect();
        self.services.signals.settle(taken.tenant, taken.app, &unwanted).await?;
        let egress = self.services.egress_to(&tenant.view, Party::App(app.id));
        let line = Line { tenant, app, transmitter, egress, url, authorization };
        let by_person = by_person(wanted);
        let rounds = by_person.into_values().map(|signals| self.in_order(&line, signals));
        let (mut sent, mut failed) = (0, None);
        for done in join_all(rounds).await {
            let (count, why) = done?;
            sent += count;
            failed = failed.or(why);
        }
        match failed {
            None => taken.failures = 0,
            Some(why) => {
                taken.failures = taken.failures.saturating_add(1);
                self.observer.signals("failed", 1);
                tracing::warn!(tenant = %tenant.view.slug, receiver = %app.name, %why, tries = taken.failures, "a receiver of signals could not be told yet");
            }
        }
        let rest = if taken.failures == 0 { Duration::ZERO } else { pause(taken.failures) };
        outbox.give_back(taken, self.services.clock.now() + rest).await?;
        Ok(sent)
    }

    /// One person's, up to the first that fails: how many the receiver has, and why it has no more.
    async fn in_order(&self, line: &Line<'_>, signals: Vec<Signal>) -> Result<(usize, Option<String>), StoreError> {
        let (began, mut sent) = (self.services.clock.steady(), 0);
        for signal in signals {
            if self.services.clock.steady().saturating_sub(began) > ROUND {
                break;
            }
            match line.tell(&signal).await {
                Told::Taken => self.observer.signals("sent", 1),
                Told::Refused(why) => {
                    tracing::error!(tenant = %line.tenant.view.slug, receiver = %line.app.name, jti = %signal.id, event = %signal.event, %why, "a signal was given up: the receiver refuses it");
                    self.observer.signals("refused", 1);
                }
                Told::Later(why) => return Ok((sent, Some(why))),
            }
            sent += 1;
            self.services.signals.settle(line.tenant.view.id, line.app.id, &[signal.id]).await?;
        }
        Ok((sent, None))
    }
}

/// Where one receiver is pushed to.
struct Line<'a> {
    tenant: &'a Arc<TenantSnapshot>,
    app: &'a Arc<App>,
    transmitter: &'a dyn SignalTransmitter,
    egress: Arc<dyn Egress>,
    url: String,
    authorization: Option<String>,
}

impl Line<'_> {
    async fn tell(&self, signal: &Signal) -> Told {
        let token = match self.transmitter.token(&self.tenant.view, self.app, signal) {
            Ok(token) => token,
            Err(error) => return Told::Later(error.to_string()),
        };
        let mut headers = vec![("accept".to_owned(), "application/json".to_owned())];
        headers.extend(self.authorization.iter().map(|value| ("authorization".to_owned(), value.clone())));
        let content_type = "application/secevent+jwt".to_owned();
        let post = EgressPost { url: self.url.clone(), content_type, headers, body: token };
        match self.egress.post(&post, CALL).await {
            Err(error) => Told::Later(error.to_string()),
            Ok(answer) => said(answer.status, &answer.body),
        }
    }
}

/// RFC 8935 sections 2.2 to 2.4. What is wrong with the token itself does not get better.
fn said(status: u16, body: &[u8]) -> Told {
    match status {
        200..300 => Told::Taken,
        400 => {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            match body.get("err").and_then(Value::as_str) {
                Some(err @ ("invalid_request" | "invalid_audience" | "invalid_issuer" | "jwtParse" | "jwtHdr")) => {
                    Told::Refused(format!("it says {err}"))
                }
                // A key that it has not fetched yet, or a secret that is being changed.
                _ => Told::Later("it answered 400".to_owned()),
            }
        }
        other => Told::Later(format!("it answered {other}")),
    }
}

/// In the order in which they were made.
fn by_person(signals: Vec<Signal>) -> BTreeMap<String, Vec<Signal>> {
    let mut found: BTreeMap<String, Vec<Signal>> = BTreeMap::new();
    for signal in signals {
        let person = signal.subject.get("user").unwrap_or(&signal.subject).to_string();
        found.entry(person).or_default().push(signal);
    }
    found
}

/// How long after a failure a receiver is tried again.
fn pause(failures: u32) -> Duration {
    Duration::from_secs(match failures {
        0 | 1 => 1,
        2 => 5,
        3 => 30,
        4 => 120,
        _ => 600,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_never_be_taken_is_not_sent_again() {
        assert_eq!(said(202, b""), Told::Taken);
        assert!(matches!(said(400, br#"{"err":"invalid_audience"}"#), Told::Refused(_)));
        for (status, body) in
            [(400, &b"{}"[..]), (400, br#"{"err":"invalid_key"}"#), (401, b""), (404, b""), (429, b""), (503, b"")]
        {
            assert!(matches!(said(status, body), Told::Later(_)), "{status}");
        }
    }

    #[test]
    fn a_receiver_that_is_away_is_tried_for_days() {
        let hour = (1..200).map(pause).take_while(|rest| *rest < Duration::from_secs(600)).count();
        assert!(hour < 10 && pause(1) <= Duration::from_secs(1));
    }
}
