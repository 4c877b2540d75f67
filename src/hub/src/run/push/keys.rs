//! What records are found by, as keyed hashes: the store sees no names.

use fedbridge_contract::push::{PushPlace, RecordData, RecordKey, RecordKind};
use fedbridge_contract::services::TokenSecrets;

use crate::ports::RecordHash;

/// Keys of one record that count.
const MOST: usize = 100;

pub(super) fn hash(tokens: &dyn TokenSecrets, place: PushPlace, kind: RecordKind, key: &RecordKey) -> RecordHash {
    let of = |what: &str, value: &str| mac(tokens, place, kind, (what, value));
    match key {
        RecordKey::Unique(name) => RecordHash::Unique(of("unique", name)),
        RecordKey::ExternalId(id) => RecordHash::External(of("external", id)),
        RecordKey::Email(address) => RecordHash::Key(of("email", address)),
        RecordKey::Display(name) => RecordHash::Key(of("display", name)),
    }
}

/// All of a record, as they are stored.
pub(super) struct Hashes {
    pub unique: Option<[u8; 32]>,
    pub external: Option<[u8; 32]>,
    pub keys: Vec<[u8; 32]>,
    pub matches: Option<[u8; 32]>,
}

impl Hashes {
    pub fn of(tokens: &dyn TokenSecrets, place: PushPlace, kind: RecordKind, data: &RecordData) -> Self {
        let of = |what: &str, value: &str| mac(tokens, place, kind, (what, value));
        let mut keys = Vec::new();
        for key in data.keys.iter().take(MOST) {
            if let RecordHash::Key(hash) = hash(tokens, place, kind, key)
                && !keys.contains(&hash)
            {
                keys.push(hash);
            }
        }
        Self {
            unique: data.unique.as_deref().map(|name| of("unique", name)),
            external: data.external_id.as_deref().map(|id| of("external", id)),
            keys,
            matches: data.match_value.as_deref().map(|value| matching(tokens, place, value)),
        }
    }
}

/// Of what a login must bring to belong to a user. Case does not count: directories differ in it.
pub(in crate::run) fn matching(tokens: &dyn TokenSecrets, place: PushPlace, value: &str) -> [u8; 32] {
    mac(tokens, place, RecordKind::User, ("match", &value.trim().to_lowercase()))
}

fn mac(tokens: &dyn TokenSecrets, place: PushPlace, kind: RecordKind, (what, value): (&str, &str)) -> [u8; 32] {
    let kind = match kind {
        RecordKind::User => "user",
        RecordKind::Group => "group",
    };
    let message = format!("{} {kind} {what} {value}", place.connection);
    tokens.mac(place.tenant, "pushed record", message.as_bytes())
}
