//! The secrets of a connection (RFC 7644 section 2): which there are, until when each is good, and when it was shown last.

use std::collections::BTreeMap;
use std::time::Duration;

use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::logout::Party;
use fedbridge_contract::reader::Reader;
use fedbridge_contract::services::Services;
use fedbridge_contract::sightings::Sighting;
use fedbridge_contract::text::counted;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::{Finding, Level};
use openssl::memcmp;
use openssl::sha::sha256;
use serde_json::{Map, Value};

/// `check` warns when a secret ends sooner than this.
const SOON: Duration = Duration::from_secs(30 * 86_400);
const VERY_SOON: Duration = Duration::from_secs(3 * 86_400);

/// One secret, which is never shown.
#[derive(Clone)]
pub struct Credential {
    /// As the audit knows it: `bearer_token/0`.
    pub name: String,
    /// As settings have it: `bearer_token`, or `bearer_tokens[1]`.
    setting: String,
    pub secret: Vec<u8>,
    /// From then on it is refused.
    pub expires: Option<Timestamp>,
}

impl Credential {
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| now >= end)
    }

    /// By what its use is noted. Two secrets that had one name after another have two marks.
    fn mark(&self, services: &Services, (tenant, connection): (TenantId, ConnectionId)) -> String {
        let message = [connection.to_string().as_bytes(), &sha256(&self.secret)].concat();
        let mac = services.tokens.mac(tenant, "scim credential", &message);
        mac.iter().take(8).map(|octet| format!("{octet:02x}")).collect()
    }
}

/// The secrets of one name: one, or two for rotation, with the dates that `expires` gives in the same order.
pub fn read(
    reader: &mut Reader,
    object: &Map<String, Value>,
    secrets: &BTreeMap<String, Vec<u8>>,
    (name, expires): (&str, &str),
) -> Vec<Credential> {
    let is_one = |key: &str| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let secrets: Vec<_> = secrets.iter().filter(|(key, _)| is_one(key)).collect();
    let ends = reader.ends_of_days(object, "", expires);
    if ends.len() > secrets.len() {
        let there = counted(secrets.len(), "secret", "secrets");
        reader.complain(expires, format!("has more dates than there are secrets: {there}"));
    }
    let setting = |at| if secrets.len() == 1 { name.to_owned() } else { format!("{name}s[{at}]") };
    let credential = |(at, (name, secret)): (usize, &(&String, &Vec<u8>))| Credential {
        name: (*name).clone(),
        setting: setting(at),
        secret: (*secret).clone(),
        expires: ends.get(at).copied(),
    };
    secrets.iter().enumerate().map(credential).collect()
}

/// The one that was shown. All are compared, as hashes of one length: how long it takes tells nothing.
pub fn shown<'c>(all: impl IntoIterator<Item = &'c Credential>, text: &str) -> Option<&'c Credential> {
    let shown = sha256(text.as_bytes());
    let mut found = None;
    for credential in all {
        if memcmp::eq(&shown, &sha256(&credential.secret)) {
            found = Some(credential);
        }
    }
    found
}

/// Notes and tells when the secrets of one connection were shown.
pub struct Uses {
    tenant: TenantId,
    connection: ConnectionId,
    /// Names and marks.
    marks: BTreeMap<String, String>,
}

impl Uses {
    pub fn new<'c>(
        all: impl IntoIterator<Item = &'c Credential>,
        services: &Services,
        (tenant, connection): (TenantId, ConnectionId),
    ) -> Self {
        let mark = |credential: &Credential| (credential.name.clone(), credential.mark(services, (tenant, connection)));
        Self { tenant, connection, marks: all.into_iter().map(mark).collect() }
    }

    pub fn note(&self, credential: &Credential, services: &Services, now: Timestamp) {
        if let Some(mark) = self.marks.get(&credential.name) {
            let party = Party::Connection(self.connection);
            services.sightings.seen(self.tenant, party, mark, Sighting::Presented, now);
        }
    }

    /// What `check` says of one.
    pub async fn finding(&self, credential: &Credential, services: &Services, now: Timestamp) -> Finding {
        let mark = self.marks.get(&credential.name).map_or("", String::as_str);
        let party = Party::Connection(self.connection);
        let used = match services.sightings.last(self.tenant, party, mark, Sighting::Presented).await {
            Ok(Some(at)) => format!("was used last at {}, give or take ten minutes", at.rfc3339_seconds()),
            Ok(None) => "was never used".to_owned(),
            Err(cause) => format!("can't be said when it was used last: {cause}"),
        };
        let name = &credential.setting;
        let Some(end) = credential.expires else {
            return Finding::new(Level::Fine, format!("{name} {used}"));
        };
        let at = end.rfc3339_seconds();
        let finding = if credential.is_over(now) {
            Finding::new(Level::Problem, format!("{name} is refused since {at}, its date; it {used}"))
        } else if now + VERY_SOON >= end {
            Finding::new(Level::Problem, format!("{name} is refused from {at} on: nothing is pushed then; it {used}"))
        } else if now + SOON >= end {
            Finding::new(
                Level::Warning,
                format!("{name} is refused from {at} on; give a second one beside it; it {used}"),
            )
        } else {
            Finding::new(Level::Fine, format!("{name} {used}, and is good until {at}"))
        };
        finding.ending(name.clone(), end)
    }
}
