//! The artifact resolution service: an app's server fetches what is behind an artifact (SAML core 3.5,
//! SAML bindings 3.6.6).
//!
//! Who asks must have signed: TLS alone tells us nothing. A request needs no memory of its own
//! against being sent again: the artifact in it is used up.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::downstream::Accepted;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_saml_core::binding::artifact::{ArtifactResolve, read_resolve, response};
use fedbridge_saml_core::binding::soap::{self, SoapMessage};
use fedbridge_saml_core::grammar::GrammarError;
use fedbridge_saml_core::instant::parse_instant;
use fedbridge_saml_core::random::message_id;
use fedbridge_saml_core::seam::Element;
use fedbridge_saml_core::signing::sign_message;
use fedbridge_saml_core::turns::in_turn;

use crate::accept::usable;
use crate::artifact::{Worth, redeem};
use crate::page::{Exchange, PageError, require, unreadable};
use crate::provider::{SamlIdentityProvider, artifact_address, entity_id};
use crate::settings::SpSettings;
use crate::verify::{SKEW, known_sender};

/// How old a request may be, besides the skew of the clocks: no longer than an answer waits.
const OLDEST: Duration = Duration::from_secs(60);

const REFUSED: PageError = PageError::new(400, "The artifact request could not be accepted.");
const BUSY: PageError = PageError::new(503, "Too many messages are under way at the moment.");
const OURS: PageError = PageError::new(500, "Something went wrong here.");

pub(crate) async fn handle(provider: &SamlIdentityProvider, mut exchange: Exchange<'_>) -> Accepted {
    let answered = match asker(provider, &mut exchange).await {
        Ok(asker) => answer(&mut exchange, asker).await,
        Err(error) => Err(error),
    };
    match answered {
        Ok((reply, true)) => {
            exchange.keep(Outcome::Success, String::new());
            Accepted::Reply(reply)
        }
        Ok((reply, false)) => {
            let cause = exchange.trace.cause().unwrap_or_default();
            exchange.record("invalid_artifact", Outcome::Refused, cause);
            Accepted::Reply(reply)
        }
        Err(error) => exchange.by_fault(&error),
    }
}

/// A request that is believed.
struct Asker {
    app: Arc<App>,
    settings: Arc<SpSettings>,
    /// The ID of the ArtifactResolve.
    id: String,
    artifact: String,
}

async fn asker(provider: &SamlIdentityProvider, exchange: &mut Exchange<'_>) -> Result<Asker, PageError> {
    let work = Work { tenant: Arc::clone(exchange.tenant), input: exchange.input.clone(), now: exchange.now };
    let done = in_turn(provider.turns_of(exchange.tenant.id), move || {
        let mut log = TraceLog::new();
        let (app, result) = work.run(&mut log);
        (log, app, result)
    });
    let (log, app, result) = done.await.map_err(|error| exchange.no_turn(error, BUSY))?;
    exchange.trace.extend(log);
    exchange.app = app.map(|app| app.id);
    let asker = result?;
    usable(exchange, &asker.app).await?;
    Ok(asker)
}

/// The answer, and whether there is anything in it. For an artifact that is worth nothing it says
/// success all the same, and no word more (SAML core 3.5.3): the trace has the reason.
async fn answer(exchange: &mut Exchange<'_>, asker: Asker) -> Result<(Reply, bool), PageError> {
    let Exchange { services, tenant, now, .. } = *exchange;
    let expected = "one that waits for this app";
    let worth = match redeem(services, tenant, &asker.app, &asker.artifact, now).await {
        Ok(worth) => worth,
        Err(error) => {
            exchange.trace.decide("find the answer", error.to_string(), false);
            return Err(PageError::new(503, "The answer can't be fetched at the moment."));
        }
    };
    let (message, login) = match worth {
        Worth::Answer(message, login) => {
            exchange.trace.check("Artifact", "SAML bindings 3.6.5.2", expected, "it", true);
            (String::from_utf8(message).ok(), Some(login))
        }
        Worth::Nothing { why, login } => {
            exchange.trace.check("Artifact", "SAML bindings 3.6.5.2", expected, why, false);
            (None, login)
        }
    };
    let there = message.is_some();
    let id = message_id(services.rng.as_ref());
    let xml = response(&id, &asker.id, &entity_id(tenant), message.as_deref(), now);
    let keys = Arc::clone(&tenant.keys);
    let signed = in_turn(Arc::clone(&asker.settings.turns), move || {
        sign_message(&xml, &id, &keys).map(|octets| soap::reply(&String::from_utf8_lossy(&octets)))
    });
    let reply =
        signed.await.map_err(|error| error.to_string()).and_then(|made| made.map_err(|error| error.to_string()));
    let reply = reply.map_err(|why| {
        exchange.trace.decide("sign the answer", why, false);
        OURS
    })?;
    let content = if there { "the response" } else { "nothing" };
    let mut facts = vec![("in_response_to", asker.id), ("content", content.to_owned())];
    facts.extend(login.map(|login| ("login", login.to_string())));
    exchange.trace.sent(now, "ArtifactResponse", facts);
    Ok((reply, there))
}

/// What is checked on a blocking thread.
struct Work {
    tenant: Arc<Tenant>,
    input: HttpInput,
    now: Timestamp,
}

impl Work {
    fn run(&self, trace: &mut TraceLog) -> (Option<Arc<App>>, Result<Asker, PageError>) {
        let soap = match SoapMessage::receive(&self.input) {
            Ok(soap) => soap,
            Err(error) => {
                unreadable(trace, "Message", "SAML bindings 3.2", "one SOAP message that can be read", error);
                return (None, Err(REFUSED));
            }
        };
        let message = soap.unverified_message();
        let issuer = match self.unverified_issuer(message, trace) {
            Ok(issuer) => issuer,
            Err(error) => return (None, Err(error)),
        };
        match known_sender(&self.tenant, issuer, self.now, trace) {
            Ok((app, settings)) => {
                let result = self.believed(&soap, &app, &settings, trace);
                let asker = |(id, artifact)| Asker { app: Arc::clone(&app), settings, id, artifact };
                let result = result.map(asker);
                (Some(app), result)
            }
            // A server learns no more than that it is not believed.
            Err((app, _)) => (app, Err(REFUSED)),
        }
    }

    /// Whose request it says it is: that finds the keys to check with, and is worth nothing else.
    fn unverified_issuer<'a>(&self, message: &'a Element, trace: &mut TraceLog) -> Result<&'a str, PageError> {
        let resolve = read(message, trace)?;
        let facts = vec![
            ("issuer", resolve.issuer.to_owned()),
            ("id", resolve.id.to_owned()),
            ("destination", resolve.destination.unwrap_or("none").to_owned()),
            ("signed", resolve.has_signature.to_string()),
        ];
        trace.received(self.now, "ArtifactResolve", false, facts);
        Ok(resolve.issuer)
    }

    /// The ID and the artifact of a request that its app has signed.
    fn believed(
        &self,
        soap: &SoapMessage,
        app: &App,
        settings: &SpSettings,
        trace: &mut TraceLog,
    ) -> Result<(String, String), PageError> {
        const SIGNATURE: &str = "ArtifactResolve signature";
        let key = "a signing certificate in the app's metadata";
        let actual = if settings.trust.is_some() { "there" } else { "none" };
        require(trace, (SIGNATURE, "SAML profiles 5.4.1"), key, actual, settings.trust.is_some(), REFUSED)?;
        let trust = settings.trust.as_ref().ok_or(REFUSED)?;
        let verified = trust
            .verify(soap.document(), soap.unverified_message(), SIGNATURE, self.now, trace)
            .map_err(|_| REFUSED)?;
        // From here on everything is read from what was signed.
        let resolve = read(verified.element(), trace)?;
        // The keys were found by the unverified name, so what was signed must say the same.
        let same = app.protocol_name.as_deref() == Some(resolve.issuer);
        let expected = app.protocol_name.clone().unwrap_or_default();
        require(trace, ("Signed Issuer", "SAML core 3.2.1"), expected, resolve.issuer, same, REFUSED)?;
        let version = resolve.version == "2.0";
        require(trace, ("Version", "SAML core 3.2.1"), "2.0", resolve.version, version, REFUSED)?;
        let address = artifact_address(&self.tenant);
        // The address of a SOAP call says it already.
        let fits = resolve.destination.is_none_or(|destination| destination == address);
        let actual = resolve.destination.unwrap_or("none");
        require(trace, ("Destination", "SAML core 3.2.1"), &address, actual, fits, REFUSED)?;
        let expected = format!("at most 60 s before {}, and not after it", self.now.rfc3339_seconds());
        let fresh = parse_instant(resolve.issue_instant)
            .is_some_and(|at| at <= self.now + SKEW && self.now <= at + OLDEST + SKEW);
        require(trace, ("IssueInstant", "SAML core 3.2.1"), expected, resolve.issue_instant, fresh, REFUSED)?;
        Ok((resolve.id.to_owned(), resolve.artifact.to_owned()))
    }
}

fn read<'a>(element: &'a Element, trace: &mut TraceLog) -> Result<ArtifactResolve<'a>, PageError> {
    read_resolve(element).map_err(|GrammarError(why)| {
        let expected = "an ArtifactResolve of the schema";
        unreadable(trace, "Form of the request", "SAML core 3.5.1", expected, why);
        REFUSED
    })
}
