//! A partner as strict as the strictest, and as careful with its own key as AD FS.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fedbridge_saml::seam::Fingerprint;
use fedbridge_saml::testkit::{KeyKind, PublishedKeys, TestKey};
use tokio::task::JoinHandle;

use crate::support::browser::HTTP;
use crate::support::publisher::Publisher;

/// How often a partner looks at the bridge's metadata.
const SCHEDULE: Duration = Duration::from_millis(500);

/// Metadata with these signing keys.
type Describe = dyn Fn(&[&TestKey]) -> String + Send + Sync;

pub struct Partner {
    pub publisher: Publisher,
    describe: Box<Describe>,
    own: Mutex<OwnKeys>,
    /// What it fetched last, and nothing else.
    believed: Mutex<PublishedKeys>,
    seen: Mutex<Seen>,
    /// It does not look at the moment.
    away: AtomicBool,
}

/// Keys in the order of their life; what is in the list is published.
struct OwnKeys {
    published: Vec<Arc<TestKey>>,
    /// Which of them signs.
    signs: usize,
}

/// What was used in logins, to know that keys did roll.
#[derive(Default)]
struct Seen {
    /// The bridge's keys, by how many signatures of theirs were verified.
    signers: BTreeMap<Fingerprint, usize>,
    /// The bridge's certificates that were encrypted to.
    recipients: BTreeSet<Vec<u8>>,
    /// The partner's own certificates.
    own: BTreeSet<Vec<u8>>,
}

impl Partner {
    /// Publishes what `describe` makes of its keys.
    pub async fn new(describe: impl Fn(&[&TestKey]) -> String + Send + Sync + 'static) -> Arc<Self> {
        let key = fresh();
        Arc::new(Self {
            publisher: Publisher::start(describe(&[&key])).await,
            describe: Box::new(describe),
            own: Mutex::new(OwnKeys { published: vec![key], signs: 0 }),
            believed: Mutex::default(),
            seen: Mutex::default(),
            away: AtomicBool::new(false),
        })
    }

    /// Looks at these addresses on its schedule, one after the other, until the handle is dropped.
    pub async fn watch(self: &Arc<Self>, addresses: Vec<String>) -> Watch {
        self.fetch(&addresses[0]).await;
        let partner = Arc::clone(self);
        Watch(tokio::spawn(async move {
            for address in addresses.iter().cycle() {
                tokio::time::sleep(SCHEDULE).await;
                if !partner.away.load(Ordering::Relaxed) {
                    partner.fetch(address).await;
                }
            }
        }))
    }

    async fn fetch(&self, address: &str) {
        let answer = HTTP.get(address).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{address}");
        let keys = PublishedKeys::read(&answer.text().await.unwrap()).unwrap();
        *self.believed.lock().unwrap() = keys;
    }

    /// Stops looking, so that what it believes gets old; or begins again.
    pub fn be_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    pub fn believed(&self) -> PublishedKeys {
        self.believed.lock().unwrap().clone()
    }

    /// The bridge's key that signs, as far as this partner knows.
    pub fn first_signer(&self) -> Fingerprint {
        self.believed().prints()[0]
    }

    /// Waits until what was fetched is as wished. Dates are looked at every 30 s.
    pub async fn until(&self, what: &str, wished: impl Fn(&PublishedKeys) -> bool) {
        let until = Instant::now() + Duration::from_secs(45);
        while !wished(&self.believed()) {
            assert!(Instant::now() < until, "the bridge's metadata never showed {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits for a signing key of the bridge that is not among these, and gives it.
    pub async fn key_besides(&self, known: &[Fingerprint]) -> Fingerprint {
        let other = |keys: &PublishedKeys| keys.prints().into_iter().find(|key| !known.contains(key));
        self.until("a next key", |keys| other(keys).is_some()).await;
        other(&self.believed()).unwrap()
    }

    pub fn saw_signer(&self, signer: Fingerprint) {
        *self.seen.lock().unwrap().signers.entry(signer).or_default() += 1;
    }

    pub fn saw_recipient(&self, certificate: &[u8]) {
        self.seen.lock().unwrap().recipients.insert(certificate.to_vec());
    }

    /// The key that signs now.
    pub fn key(&self) -> Arc<TestKey> {
        let own = self.own.lock().unwrap();
        let key = Arc::clone(&own.published[own.signs]);
        self.seen.lock().unwrap().own.insert(key.certificate.clone());
        key
    }

    /// How many signatures of this key of the bridge were verified.
    pub fn verified(&self, signer: Fingerprint) -> usize {
        self.seen.lock().unwrap().signers.get(&signer).copied().unwrap_or_default()
    }

    pub fn number_of_signers(&self) -> usize {
        self.seen.lock().unwrap().signers.len()
    }

    pub fn number_of_recipients(&self) -> usize {
        self.seen.lock().unwrap().recipients.len()
    }

    pub fn number_of_own_keys(&self) -> usize {
        self.seen.lock().unwrap().own.len()
    }

    /// Publishes a further key, which signs nothing yet.
    pub fn announce(&self) {
        self.own.lock().unwrap().published.push(fresh());
        self.publish();
    }

    /// Signs with the key that was announced.
    pub fn switch(&self) {
        let mut own = self.own.lock().unwrap();
        own.signs = own.published.len() - 1;
    }

    /// Publishes only the key that signs.
    pub fn drop_old(&self) {
        let mut own = self.own.lock().unwrap();
        let signs = own.signs;
        own.published.drain(..signs);
        own.signs = 0;
        drop(own);
        self.publish();
    }

    fn publish(&self) {
        let own = self.own.lock().unwrap();
        let keys: Vec<&TestKey> = own.published.iter().map(AsRef::as_ref).collect();
        self.publisher.publish((self.describe)(&keys));
    }
}

/// Ends the looks when it is dropped.
pub struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn fresh() -> Arc<TestKey> {
    TestKey::make(KeyKind::Rsa(2048)).unwrap()
}
