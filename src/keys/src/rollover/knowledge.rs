//! Who knows the new key, and who lags.

use fedbridge_contract::keys::{KeyPurpose, KeyRing, KeyState};
use fedbridge_contract::logout::Party;
use fedbridge_contract::sightings::Sighting;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{RolloverPhase, StoredSighting};
use fedbridge_hub::spec::StoredKey;

use super::in_state;

/// A partner that logs people in or takes logins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partner {
    pub party: Party,
    /// Whether it has a use for keys of the purpose.
    pub uses_key: bool,
}

/// The keys that a rollover is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The new one: next before the switch, active after it.
    pub kid: String,
    /// Since when it is published, where that is known.
    pub published: Option<Timestamp>,
    /// Keys that still decrypt and that nobody should encrypt to any more. Empty before the switch.
    pub old: Vec<String>,
}

impl Watched {
    /// From the keys as they are stored. `None`: there is no new key.
    pub fn of(keys: &[StoredKey], purpose: KeyPurpose, phase: RolloverPhase) -> Option<Self> {
        let new = in_state(keys, purpose, new_state(phase)).next()?;
        let old = match (purpose, phase) {
            (KeyPurpose::SamlDecryption, RolloverPhase::Switched) => {
                in_state(keys, purpose, KeyState::Retiring).map(|key| key.kid.clone()).collect()
            }
            _ => Vec::new(),
        };
        Some(Self { kid: new.kid.clone(), published: Some(new.created), old })
    }

    /// From the keys as they are in force, which say no dates.
    pub fn of_ring(ring: &KeyRing, purpose: KeyPurpose, phase: RolloverPhase) -> Option<Self> {
        let keys: Vec<(KeyState, &str)> = match purpose {
            KeyPurpose::Oidc | KeyPurpose::OidcClient | KeyPurpose::OidcDecryption => Vec::new(),
            KeyPurpose::SamlSigning => ring.saml_signing.iter().map(|key| (key.state, key.signer.kid())).collect(),
            KeyPurpose::SamlDecryption => {
                ring.saml_decryption.iter().map(|key| (key.state, key.decrypter.kid())).collect()
            }
        };
        let in_state =
            |wanted| keys.iter().filter(move |(state, _)| *state == wanted).map(|(_, kid)| (*kid).to_owned());
        let old = match (purpose, phase) {
            (KeyPurpose::SamlDecryption, RolloverPhase::Switched) => in_state(KeyState::Retiring).collect(),
            _ => Vec::new(),
        };
        Some(Self { kid: in_state(new_state(phase)).next()?, published: None, old })
    }
}

/// Where one partner stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub party: Party,
    pub knowledge: Knowledge,
    /// The last sign of it that had to do with any key of ours.
    pub last_seen: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Knowledge {
    /// It has no use for the key.
    NoNeed,
    Knows {
        how: Sighting,
        since: Timestamp,
    },
    /// Why we think that it doesn't, in words.
    Lags {
        why: String,
    },
}

impl Standing {
    pub fn lags(&self) -> bool {
        matches!(self.knowledge, Knowledge::Lags { .. })
    }
}

/// Where each partner stands, in the order given.
pub fn standings(watched: &Watched, sightings: &[StoredSighting], partners: &[Partner]) -> Vec<Standing> {
    partners.iter().map(|partner| standing(watched, sightings, partner)).collect()
}

fn standing(watched: &Watched, sightings: &[StoredSighting], partner: &Partner) -> Standing {
    let seen: Vec<_> = sightings.iter().filter(|seen| seen.party == partner.party).collect();
    let own = seen.iter().filter(|seen| seen.how != Sighting::Confirmed);
    let last_seen = own.map(|seen| seen.last).max();
    let knowledge = match known(watched, &seen) {
        _ if !partner.uses_key => Knowledge::NoNeed,
        Some((how, since)) => match encrypted_to_old(watched, &seen) {
            Some(at) => {
                Knowledge::Lags { why: format!("still encrypts to the old key, last on {}", at.rfc3339_seconds()) }
            }
            None => Knowledge::Knows { how, since },
        },
        None => Knowledge::Lags { why: why(watched, &seen) },
    };
    Standing { party: partner.party, knowledge, last_seen }
}

/// The best sign that a partner knows the new key. Using it shows more than anybody's word, and that more
/// than a fetch, which anybody can make in a partner's name.
fn known(watched: &Watched, seen: &[&StoredSighting]) -> Option<(Sighting, Timestamp)> {
    let of_key = |how| seen.iter().find(|seen| seen.kid == watched.kid && seen.how == how);
    let order = [Sighting::EncryptedTo, Sighting::Verified, Sighting::Confirmed, Sighting::Published];
    order.into_iter().find_map(|how| of_key(how).map(|seen| (how, seen.first)))
}

/// When the partner last encrypted to an old key, if nothing shows that it has changed since.
///
/// Of fetches only the first counts: a partner that fetches every hour and goes on as before has not
/// changed. Of what somebody said the last time counts.
fn encrypted_to_old(watched: &Watched, seen: &[&StoredSighting]) -> Option<Timestamp> {
    let old = seen.iter().filter(|seen| seen.how == Sighting::EncryptedTo && watched.old.contains(&seen.kid));
    let old = old.map(|seen| seen.last).max()?;
    let new = seen.iter().filter(|seen| seen.kid == watched.kid).map(|seen| match seen.how {
        Sighting::Published => seen.first,
        Sighting::EncryptedTo | Sighting::Verified | Sighting::Confirmed | Sighting::Presented => seen.last,
    });
    (new.max() < Some(old)).then_some(old)
}

fn why(watched: &Watched, seen: &[&StoredSighting]) -> String {
    let fetched = seen.iter().filter(|seen| seen.how == Sighting::Published).map(|seen| seen.last).max();
    let published = watched.published.map(Timestamp::rfc3339_seconds);
    match (fetched.map(|at| (at, at.rfc3339_seconds())), published) {
        (None, None) => "never fetched our metadata since the key was published".to_owned(),
        (None, Some(published)) => format!("never fetched our metadata since the key was published on {published}"),
        (Some((at, fetched)), Some(published)) if watched.published.is_some_and(|published| at < published) => {
            format!("last fetched our metadata on {fetched}, before the key was published on {published}")
        }
        (Some((_, fetched)), _) => format!("last fetched our metadata on {fetched}, without the key"),
    }
}

fn new_state(phase: RolloverPhase) -> KeyState {
    match phase {
        RolloverPhase::Announced => KeyState::Next,
        RolloverPhase::Switched => KeyState::Active,
    }
}
