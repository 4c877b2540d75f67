//! Transactions that wait for what a person types on a page of ours.

use fedbridge_contract::http::{HttpInput, SetCookie};
use fedbridge_contract::ids::TransactionId;
use fedbridge_contract::page::OwnForm;
use fedbridge_contract::ticket::ticket;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ports::Command;
use crate::run::Hub;
use crate::run::answer::Found;
use crate::run::ending::Stop;
use crate::run::own::{field, own_origin};
use crate::run::record::{PriorSession, Purpose, TransactionRecord};
use crate::run::session::{TRANSACTION, correlation_cookie};
use crate::run::snapshot::OpenConnection;
use crate::run::start::Login;

/// The field that names the login which a page belongs to.
const LOGIN: &str = "login";

/// A transaction about to be stored, and what its page needs.
pub(in crate::run) struct Waiting {
    pub open: Command,
    pub handle: String,
    pub cookie: SetCookie,
}

impl Hub {
    /// A transaction that waits at the page of `purpose`. What the login is for must be part of `state`.
    pub(in crate::run) fn waiting(
        &self,
        login: &Login,
        connection: &OpenConnection,
        session: Option<PriorSession>,
        purpose: Purpose,
        state: &impl Serialize,
    ) -> Result<Waiting, Stop> {
        let tenant = login.tenant.view.id;
        let now = self.services.clock.now();
        let state = serde_json::to_vec(state)
            .map_err(|error| Stop::broken(format!("what waits for the person can't be written: {error}")))?;
        let id = TransactionId::at(now, self.services.rng.as_ref());
        let handle = ticket(id.uuid(), self.services.rng.as_ref());
        let (secret, browser) = self.new_correlation(tenant);
        let record = TransactionRecord {
            connection: connection.view.id,
            app: login.app.as_ref().map(|(_, asked)| asked.clone()),
            then: login.then.clone(),
            purpose,
            wish: login.wish.clone(),
            browser,
            session,
            question: None,
            state,
            started: login.started,
            trace: login.trace_id,
            steps: login.trace.clone(),
        };
        let open = self.open_transaction(tenant, id, &handle, now + TRANSACTION, &record)?;
        Ok(Waiting { open, cookie: correlation_cookie(tenant, &handle, secret), handle })
    }

    /// The login that a form goes on with: it waits at one of these pages, and this is its browser.
    pub(in crate::run) async fn waited<T: DeserializeOwned>(
        &self,
        login: &mut Login,
        input: &HttpInput,
        at: &[Purpose],
    ) -> Result<(Found, T), Stop> {
        own_origin(login, input)?;
        let found = match field(input, LOGIN) {
            Some(handle) => self.login_under_way(login, &handle).await?,
            None => None,
        };
        let found = found.filter(|found| at.contains(&found.record.purpose));
        let found = found.and_then(|found| {
            let state = serde_json::from_slice(&found.record.state).ok()?;
            Some((found, state))
        });
        let Some((found, state)) = found else {
            let actual = "none, or one that is over, or older than 10 minutes";
            login.trace.check("the login that the page is of", "", "a login under way", actual, false);
            let public = "This login was used before, or took too long. Please start again.";
            return Err(Stop::not_accepted("no login waits for this form").saying(public));
        };
        self.same_browser(login, &found, input)?;
        Ok((found, state))
    }

    /// The form of such a page.
    pub(in crate::run) fn waiting_form(&self, login: &Login, path: &str, handle: &str) -> OwnForm {
        OwnForm {
            action: format!("{}/{path}", login.tenant.view.issuer),
            fields: vec![(LOGIN.to_owned(), handle.to_owned())],
        }
    }

    /// Where the login leads in the end: the host of the app, or the scheme of a native one.
    pub(in crate::run) fn onward(&self, login: &Login) -> Option<String> {
        let (open, asked) = login.app.as_ref()?;
        self.downstream(open.view.kind)?.host(&open.view, &asked.continuation)
    }
}

impl Login {
    /// Takes up a login that waited at a page of ours, for what it is really for.
    pub(in crate::run) fn go_on(&mut self, found: &mut Found, purpose: Purpose) {
        self.resume(&mut found.record);
        self.purpose = purpose;
        if matches!(purpose, Purpose::Link { .. }) {
            self.kind = "link";
        }
    }
}
