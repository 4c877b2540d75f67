//! The bridge as service provider: a strict identity provider and the bridge both roll their keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fedbridge_saml::testkit::{Encryption, ReceivedRequest, ScriptedIdp};

use super::conductor::{Conductor, taken_over};
use super::crowd::{Crowd, Login};
use super::partner::{Partner, Watch};
use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::{Answer, Browser};
use crate::support::peers::Peer;
use crate::support::scripted::{App, REDIRECT, SECRET, alice, now};
use crate::support::{Database, Scratch};

/// What the bridge calls the identity provider.
pub const IDP: &str = "connection/idp";

/// A company whose identity provider verifies each request of the bridge, and encrypts each answer.
pub struct Company {
    pub setup: Setup,
    pub idp: StrictIdp,
    nodes: Vec<App>,
    logins: AtomicUsize,
    _watch: Watch,
    _bridges: Vec<Bridge>,
    _postgres: Option<Peer>,
    _scratch: Scratch,
}

pub struct StrictIdp {
    script: ScriptedIdp,
    pub partner: Arc<Partner>,
}

/// A login that is at the identity provider.
pub struct Asked {
    browser: Browser,
    request: ReceivedRequest,
    /// Where it goes on.
    node: App,
}

/// A login that comes back from there.
pub struct Answered {
    browser: Browser,
    form: Vec<(String, String)>,
    node: App,
}

impl Company {
    /// `refresh` says how often the bridge looks at the identity provider's metadata.
    pub async fn start(database: Database, nodes: usize, refresh: &str) -> Arc<Self> {
        let scratch = Scratch::new("roll");
        let (setup, postgres) = match database {
            Database::Sqlite => (Setup::sqlite(scratch.path()), None),
            Database::Postgres => {
                let peer = Peer::postgres(scratch.path());
                (Setup::postgres(scratch.path(), &peer.url), Some(peer))
            }
        };
        let idp = StrictIdp::new().await;
        setup.apply(&scratch, &bridge_file(&idp.partner.publisher.url, refresh));
        let mut bridges = vec![setup.serve(&scratch).await];
        for _ in 1..nodes {
            bridges.push(setup.another_node().serve(&scratch).await);
        }
        let nodes: Vec<_> = bridges.iter().map(App::of).collect();
        let addresses = nodes.iter().map(|node| format!("{}/connections/idp/saml/metadata", node.at));
        let watch = idp.partner.watch(addresses.collect()).await;
        Arc::new(Self {
            setup,
            idp,
            nodes,
            logins: AtomicUsize::new(0),
            _watch: watch,
            _bridges: bridges,
            _postgres: postgres,
            _scratch: scratch,
        })
    }

    pub fn crowd(self: &Arc<Self>, size: usize) -> Crowd {
        let company = Arc::clone(self);
        Crowd::of(size, move || {
            let company = Arc::clone(&company);
            async move { company.login().await }
        })
    }

    pub fn conductor(&self, purpose: &'static str) -> Conductor<'_> {
        Conductor { setup: &self.setup, purpose }
    }

    /// From the app to the app. The answer comes to another node than the request, where there are several.
    pub async fn login(&self) -> Login {
        let asked = self.ask().await?;
        let answered = self.answer(asked)?;
        self.bring(answered).await
    }

    pub async fn ask(&self) -> Result<Asked, String> {
        let number = self.logins.fetch_add(1, Ordering::Relaxed);
        let node = |number: usize| &self.nodes[number % self.nodes.len()];
        let (first, second) = (node(number), node(number + 1));
        let mut browser = Browser::new();
        let answer = browser.get(&first.authorize_url("")).await;
        let location = answer.location.clone().ok_or_else(|| page("no request", &answer))?;
        let request = ReceivedRequest::from_redirect(&location).map_err(|error| format!("{location}: {error}"))?;
        browser.share_cookies(&first.at, &second.at);
        Ok(Asked { browser, request, node: second.clone() })
    }

    /// What the identity provider makes of a request, with the keys of now.
    pub fn answer(&self, asked: Asked) -> Result<Answered, String> {
        let Asked { browser, request, node } = asked;
        Ok(Answered { browser, form: self.idp.answer(&request)?, node })
    }

    pub async fn bring(&self, answered: Answered) -> Login {
        let Answered { mut browser, form, node } = answered;
        let answer = node.post_acs(&mut browser, &form).await;
        if !answer.location.as_ref().is_some_and(|location| location.starts_with(REDIRECT)) {
            return Err(page("the bridge refuses the answer", &answer));
        }
        let tokens = node.redeem(answer.redirect_params().get("code").ok_or("no code")?).await;
        if tokens.status == 200 { Ok(()) } else { Err(page("no tokens", &tokens)) }
    }
}

impl StrictIdp {
    async fn new() -> Self {
        fedbridge_saml::init().unwrap();
        let script = ScriptedIdp::new("https://idp.example/metadata", "https://idp.example/sso");
        let described = script.clone();
        Self { script, partner: Partner::new(move |keys| described.metadata_with(keys)).await }
    }

    /// Answers a request that one of the bridge's keys signed, as it was fetched last, and encrypts to the
    /// first certificate there.
    fn answer(&self, request: &ReceivedRequest) -> Result<Vec<(String, String)>, String> {
        let bridge = self.partner.believed();
        let signer = request.signer(&bridge.signing).map_err(|error| format!("the provider refuses: {error}"))?;
        self.partner.saw_signer(signer);
        let recipient = bridge.encryption.first().ok_or("there is nobody to encrypt to")?;
        self.partner.saw_recipient(recipient);
        let mut idp = self.script.clone();
        idp.key = self.partner.key();
        let mut plan = idp.answer(request, &alice(), now());
        plan.encryption = Some(Encryption::to(recipient));
        plan.form(&idp, request.relay_state.as_deref()).map_err(|error| error.to_string())
    }
}

/// A page that should not have come, as one line.
pub fn page(what: &str, answer: &Answer) -> String {
    let body = answer.body.rsplit("</style>").next().unwrap_or_default();
    let text: Vec<_> = body.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim()).collect();
    format!("{what}: {} {:?} {}", answer.status, answer.location, text.join(" "))
}

fn bridge_file(metadata: &str, refresh: &str) -> String {
    format!(
        "version: 1
tenants:
  - slug: acme
    display_name: Acme
    connections:
      - slug: idp
        protocol: saml
        idp_metadata: {{ url: \"{metadata}\", refresh: {refresh} }}
    clients:
      - client_id: app
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{REDIRECT}\"]
        grant_types: [authorization_code, refresh_token]
        scopes: [openid, profile, email, offline_access]
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_fails_while_the_provider_and_we_roll_on_sqlite() {
    both_roll(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_fails_while_the_provider_and_we_roll_on_postgresql() {
    both_roll(Database::Postgres).await;
}

async fn both_roll(database: Database) {
    let company = Company::start(database, 1, "1s").await;
    let crowd = company.crowd(2);
    crowd.more(5).await;
    the_provider_rolls(&company, &crowd).await;
    we_roll_and_back_and_again(&company, &crowd).await;
    we_wait_for_whoever_has_not_looked(&company, &crowd).await;
    we_roll_what_is_encrypted_to(&company, &crowd).await;
    let logins = crowd.all_were_let_in().await;
    assert!(logins > 50, "{logins} logins are too few to tell");
    let idp = &company.idp.partner;
    assert_eq!((idp.number_of_own_keys(), idp.number_of_signers(), idp.number_of_recipients()), (2, 3, 2));
}

/// The provider publishes a key, signs with it later, and drops the old one later still.
async fn the_provider_rolls(company: &Company, crowd: &Crowd) {
    let idp = &company.idp.partner;
    idp.announce();
    idp.publisher.taken().await;
    crowd.more(4).await;
    idp.switch();
    crowd.more(4).await;
    idp.drop_old();
    idp.publisher.taken().await;
    crowd.more(4).await;
    assert_eq!(idp.number_of_own_keys(), 2);
}

/// A rollover that is taken back after its switch, and then carried out.
async fn we_roll_and_back_and_again(company: &Company, crowd: &Crowd) {
    let (idp, conductor) = (&company.idp.partner, company.conductor("saml-signing"));
    let old = idp.first_signer();
    conductor.ok("start", &[]);
    idp.until("the next key", |keys| keys.signing.len() == 2).await;
    let new = idp.believed().prints()[1];
    // It is at the provider while the key changes.
    let under_way = company.ask().await.unwrap();
    assert_eq!(under_way.request.signer(&idp.believed().signing), Ok(old));
    conductor.switch().await;
    idp.until("the new key first", |keys| keys.prints()[0] == new).await;
    company.bring(company.answer(under_way).unwrap()).await.unwrap();
    crowd.more(6).await;
    assert!(idp.verified(new) > 0, "the new key never signed");

    let under_way = company.ask().await.unwrap();
    assert_eq!(under_way.request.signer(&idp.believed().signing), Ok(new));
    conductor.ok("rollback", &[]);
    idp.until("the old key first", |keys| keys.prints()[0] == old).await;
    company.bring(company.answer(under_way).unwrap()).await.unwrap();
    let before = idp.verified(old);
    crowd.more(6).await;
    assert!(idp.verified(old) >= before + 6, "the old key does not sign again");

    conductor.switch().await;
    idp.until("the new key first", |keys| keys.prints()[0] == new).await;
    crowd.more(6).await;
    // From now on the provider does not look: see what follows.
    idp.be_away(true);
    conductor.ok("retire", &[]);
    crowd.more(4).await;
}

/// A provider that has not fetched the next key holds the switch up, until it has.
async fn we_wait_for_whoever_has_not_looked(company: &Company, crowd: &Crowd) {
    let (idp, conductor) = (&company.idp.partner, company.conductor("saml-signing"));
    let stale = idp.believed().prints();
    conductor.ok("start", &[]);
    conductor.switch_is_refused_for(IDP);
    crowd.more(4).await;
    idp.be_away(false);
    let new = idp.key_besides(&stale).await;
    conductor.switch().await;
    idp.until("the new key first", |keys| keys.prints()[0] == new).await;
    crowd.more(4).await;
    conductor.ok("retire", &[]);
    crowd.more(4).await;
    assert!(idp.verified(new) > 0, "the new key never signed");
}

/// Answers are encrypted to the old key until the provider has seen the next one, and to that from then on.
async fn we_roll_what_is_encrypted_to(company: &Company, crowd: &Crowd) {
    let (idp, conductor) = (&company.idp.partner, company.conductor("saml-decryption"));
    idp.be_away(true);
    let old = idp.believed().encryption[0].clone();
    conductor.ok("start", &[]);
    conductor.switch_is_refused_for(IDP);
    crowd.more(4).await;
    let to_old = company.answer(company.ask().await.unwrap()).unwrap();
    idp.be_away(false);
    idp.until("another key to encrypt to", |keys| keys.encryption[0] != old).await;
    crowd.more(4).await;
    let to_new = company.answer(company.ask().await.unwrap()).unwrap();
    conductor.switch().await;
    taken_over().await;
    company.bring(to_old).await.unwrap();
    crowd.more(4).await;
    conductor.ok("rollback", &[]);
    taken_over().await;
    company.bring(to_new).await.unwrap();
    crowd.more(4).await;
    conductor.switch().await;
    conductor.retire().await;
    crowd.more(4).await;
}
