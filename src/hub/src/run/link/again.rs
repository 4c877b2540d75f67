//! Whoever opens an account to one more login, or closes it to one, has logged in just now: a browser that was left
//! alone must not be enough to take the account over.

use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::http::Reply;
use fedbridge_contract::upstream::LoginWish;

use super::FRESH;
use crate::run::Hub;
use crate::run::ending::Stop;
use crate::run::session::LiveSession;
use crate::run::start::Login;

/// How old the person's authentication is, where that is too old or nobody knows: an upstream that does not say when
/// may have let the browser through without asking anybody.
pub(in crate::run) fn stale(login: &Login, live: &LiveSession) -> Option<String> {
    let authn = &live.record.authn;
    let age = login.started.since(authn.auth_time).as_secs();
    match authn.auth_time_said {
        false => Some("of unknown age".to_owned()),
        true => (age > FRESH).then(|| format!("{age} s old")),
    }
}

impl Hub {
    /// Sends the person to their own upstream, which is to authenticate them anew. They come back to the page of
    /// their account, and press the button again there.
    pub(in crate::run) async fn log_in_again(&self, mut login: Login, live: LiveSession, age: String) -> Reply {
        let own = login.tenant.connections.get(&live.stored.connection).cloned();
        let Some(own) = own.filter(|own| own.can_log_in) else {
            let person = Some(live.record.subject.display.clone());
            let cause = "the session is old, and its connection can't log anybody in any more";
            let stop = Stop::new(RefusalKind::LoginRequired, "Please log in again, then try once more.", cause);
            return self.stop(login, stop, None, person).await;
        };
        let outcome = format!("the person's own authentication is {age}: they log in again first");
        login.trace.decide("fresh", outcome, true);
        let wish = LoginWish { force_authn: true, ..LoginWish::default() };
        self.begin(Login { wish, kind: "login", ..login }, own, Some(live.prior())).await
    }
}
