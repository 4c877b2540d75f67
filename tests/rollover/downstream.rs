//! The bridge as identity provider: a strict service provider and the bridge both roll their keys.

use std::sync::Arc;

use fedbridge_saml::seam::Fingerprint;
use fedbridge_saml::testkit::{ReceivedRequest, ScriptedIdp, ScriptedSp, Sign};

use super::conductor::Conductor;
use super::crowd::{Crowd, Login};
use super::partner::{Partner, Watch};
use super::upstream::page;
use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::{Answer, Browser};
use crate::support::html::Form;
use crate::support::peers::Peer;
use crate::support::scripted::{App, alice, bridge_file, idp, now};
use crate::support::{Database, Scratch};

const SP: &str = "service_provider/wiki";

/// A company with an app that verifies each answer, and signs each request.
struct Company {
    setup: Setup,
    sp: StrictSp,
    app: App,
    /// Whatever it gets, it believes: its metadata came as a file, and nobody there fetches anything.
    upstream: ScriptedIdp,
    _watch: Watch,
    _bridge: Bridge,
    _postgres: Option<Peer>,
    _scratch: Scratch,
}

struct StrictSp {
    script: ScriptedSp,
    partner: Arc<Partner>,
}

/// An answer that the browser has not brought to the app yet.
struct Answered {
    request: String,
    answer: Answer,
}

impl Company {
    async fn start(database: Database) -> Arc<Self> {
        let scratch = Scratch::new("roll-sp");
        let (setup, postgres) = match database {
            Database::Sqlite => (Setup::sqlite(scratch.path()), None),
            Database::Postgres => {
                let peer = Peer::postgres(scratch.path());
                (Setup::postgres(scratch.path(), &peer.url), Some(peer))
            }
        };
        let upstream = idp();
        let sp = StrictSp::new().await;
        let provider = format!(
            "    service_providers:
      - slug: wiki
        sp_metadata: {{ url: \"{}\", refresh: 1s }}
        sign: both
        attributes: {{ mail: email }}
",
            sp.partner.publisher.url
        );
        setup.apply(&scratch, &(bridge_file(&scratch, &upstream) + &provider));
        let bridge = setup.serve(&scratch).await;
        let app = App::of(&bridge);
        let watch = sp.partner.watch(vec![format!("{}/saml/metadata?sp=wiki", app.at)]).await;
        Arc::new(Self {
            setup,
            sp,
            app,
            upstream,
            _watch: watch,
            _bridge: bridge,
            _postgres: postgres,
            _scratch: scratch,
        })
    }

    fn crowd(self: &Arc<Self>, size: usize) -> Crowd {
        let company = Arc::clone(self);
        Crowd::of(size, move || {
            let company = Arc::clone(&company);
            async move { company.login().await }
        })
    }

    async fn login(&self) -> Login {
        let answered = self.answered().await?;
        self.sp.take(&answered).map(drop)
    }

    /// From the app through the bridge and its upstream, up to the page that goes to the app.
    async fn answered(&self) -> Result<Answered, String> {
        let mut browser = Browser::new();
        let sso = format!("{}/saml/sso", self.app.at);
        let (request, query) = self.sp.ask(&sso)?;
        let answer = browser.get(&format!("{sso}?{query}")).await;
        let location = answer.location.clone().ok_or_else(|| page("the bridge refuses the request", &answer))?;
        let asked = ReceivedRequest::from_redirect(&location).map_err(|error| format!("{location}: {error}"))?;
        let plan = self.upstream.answer(&asked, &alice(), now());
        let form = plan.form(&self.upstream, asked.relay_state.as_deref()).map_err(|error| error.to_string())?;
        let answer = self.app.post_acs(&mut browser, &form).await;
        Ok(Answered { request, answer: browser.settle(answer).await })
    }
}

impl StrictSp {
    async fn new() -> Self {
        fedbridge_saml::init().unwrap();
        let mut script = ScriptedSp::new("https://wiki.example/metadata", "http://127.0.0.1:9/acs");
        script.authn_requests_signed = Some(true);
        let described = script.clone();
        Self { script, partner: Partner::new(move |keys| described.metadata_with(keys)).await }
    }

    /// A request's ID, and its query with the signature.
    fn ask(&self, sso: &str) -> Result<(String, String), String> {
        let mut sp = self.script.clone();
        sp.key = self.partner.key();
        let plan = sp.request(sso, now());
        let query = plan.query(&sp, Some("page")).map_err(|error| error.to_string())?;
        Ok((plan.id, query))
    }

    /// Takes an answer that a key of the bridge signed, as it was fetched last, and says which.
    fn take(&self, answered: &Answered) -> Result<Fingerprint, String> {
        let Answered { request, answer } = answered;
        let form = Form::of(&answer.body, &answer.url).filter(|form| form.action == self.script.acs);
        let form = form.ok_or_else(|| page("no answer for the app", answer))?;
        let keys = self.partner.believed().signing;
        let taken = self.script.receive(&form.fields, &keys).map_err(|error| format!("the app refuses: {error}"))?;
        if taken.signed != Sign::Both || taken.in_response_to.as_ref() != Some(request) {
            return Err(format!("the app refuses what is signed as {:?}: {}", taken.signed, taken.xml));
        }
        let assertion = taken.assertion.ok_or_else(|| format!("there is no assertion: {:?}", taken.status))?;
        if assertion.values("mail") != ["alice@acme.example"] {
            return Err(format!("it is about somebody else: {assertion:?}"));
        }
        match taken.signed_by.as_slice() {
            [one, other] if one == other => self.partner.saw_signer(*one),
            several => return Err(format!("one answer is signed by {several:?}")),
        }
        Ok(taken.signed_by[0])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_at_an_app_fails_while_it_and_we_roll_on_sqlite() {
    both_roll(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_at_an_app_fails_while_it_and_we_roll_on_postgresql() {
    both_roll(Database::Postgres).await;
}

async fn both_roll(database: Database) {
    let company = Company::start(database).await;
    let sp = &company.sp.partner;
    let crowd = company.crowd(2);
    crowd.more(5).await;
    the_app_rolls(&company, &crowd).await;
    we_roll(&company, &crowd).await;
    we_wait_for_whoever_has_not_looked(&company, &crowd).await;
    let logins = crowd.all_were_let_in().await;
    assert!(logins > 50, "{logins} logins are too few to tell");
    assert_eq!((sp.number_of_own_keys(), sp.number_of_signers()), (2, 3));
}

async fn the_app_rolls(company: &Company, crowd: &Crowd) {
    let sp = &company.sp.partner;
    sp.announce();
    sp.publisher.taken().await;
    crowd.more(6).await;
    sp.switch();
    crowd.more(6).await;
    sp.drop_old();
    sp.publisher.taken().await;
    crowd.more(6).await;
}

/// Back and forth, with an answer under way at each change. The upstream was configured by hand, so the admin
/// gives his word for it.
async fn we_roll(company: &Company, crowd: &Crowd) {
    let (sp, conductor) = (&company.sp.partner, company.conductor());
    let old = sp.first_signer();
    conductor.ok("start", &[]);
    sp.until("the next key", |keys| keys.signing.len() == 2).await;
    let new = sp.believed().prints()[1];
    conductor.switch_is_refused_for("connection/idp");
    conductor.ok("confirm", &["--partner", "connection/idp"]);
    let under_way = company.answered().await.unwrap();
    conductor.switch().await;
    sp.until("the new key first", |keys| keys.prints()[0] == new).await;
    assert_eq!(company.sp.take(&under_way), Ok(old));
    crowd.more(6).await;
    assert!(sp.verified(new) > 0, "the new key never signed");

    let under_way = company.answered().await.unwrap();
    conductor.ok("rollback", &[]);
    sp.until("the old key first", |keys| keys.prints()[0] == old).await;
    assert_eq!(company.sp.take(&under_way), Ok(new));
    let before = sp.verified(old);
    crowd.more(6).await;
    assert!(sp.verified(old) >= before + 6, "the old key does not sign again");

    conductor.switch().await;
    sp.until("the new key first", |keys| keys.prints()[0] == new).await;
    crowd.more(6).await;
    sp.be_away(true);
    conductor.ok("retire", &[]);
    crowd.more(4).await;
}

async fn we_wait_for_whoever_has_not_looked(company: &Company, crowd: &Crowd) {
    let (sp, conductor) = (&company.sp.partner, company.conductor());
    let stale = sp.believed().prints();
    conductor.ok("start", &[]);
    conductor.ok("confirm", &["--partner", "connection/idp"]);
    conductor.switch_is_refused_for(SP);
    crowd.more(4).await;
    sp.be_away(false);
    let new = sp.key_besides(&stale).await;
    conductor.switch().await;
    sp.until("the new key first", |keys| keys.prints()[0] == new).await;
    crowd.more(4).await;
    conductor.ok("retire", &[]);
    crowd.more(4).await;
    assert!(sp.verified(new) > 0, "the new key never signed");
}

impl Company {
    fn conductor(&self) -> Conductor<'_> {
        Conductor { setup: &self.setup, purpose: "saml-signing" }
    }
}
