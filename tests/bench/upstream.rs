//! The SAML identity providers of the bench: scripted, in this process. There is one for each variety of
//! login, with a connection of its own.

use std::net::SocketAddr;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::services::Clock as _;
use fedbridge_keys::SystemClock;
use fedbridge_saml::testkit::{Encryption, Person, ReceivedRequest, ScriptedIdp};

use crate::chain::{Company, TENANT, Upstream, encoded};
use crate::http::{self, Connection};

/// How requests go out and answers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variety {
    /// Unsigned requests, and a signed assertion in the clear.
    Unsigned,
    /// The same with signed requests.
    Signed,
    /// As the first, but the assertion comes encrypted, with AES-256-GCM under RSA-OAEP.
    Encrypted,
}

impl Variety {
    pub const ALL: [Self; 3] = [Self::Unsigned, Self::Signed, Self::Encrypted];

    /// Of its connection.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Signed => "signed",
            Self::Encrypted => "encrypted",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned requests",
            Self::Signed => "signed requests",
            Self::Encrypted => "encrypted answers",
        }
    }

    pub fn idp(self) -> ScriptedIdp {
        let host = format!("https://{}.idp.example", self.slug());
        ScriptedIdp::new(host.clone(), format!("{host}/sso"))
    }
}

/// An identity provider that has what it needs to answer.
pub struct Provider {
    pub variety: Variety,
    idp: ScriptedIdp,
    encryption: Option<Encryption>,
}

impl Provider {
    /// Takes the certificate to encrypt to from the metadata of a running server.
    pub fn of(variety: Variety, address: SocketAddr) -> anyhow::Result<Self> {
        let encryption = match variety {
            Variety::Encrypted => Some(Encryption::to(&encryption_certificate(address)?)),
            Variety::Unsigned | Variety::Signed => None,
        };
        Ok(Self { variety, idp: variety.idp(), encryption })
    }
}

impl Upstream for Provider {
    fn slug(&self) -> &str {
        self.variety.slug()
    }

    /// The POST to the ACS.
    fn answer(&self, company: &Company, location: &str, cookies: &str, person: &Person) -> anyhow::Result<Vec<u8>> {
        let request = ReceivedRequest::from_redirect(location)?;
        let mut plan = self.idp.answer(&request, person, SystemClock.now());
        plan.encryption.clone_from(&self.encryption);
        let fields = plan.form(&self.idp, request.relay_state.as_deref())?;
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let path = format!("/t/{}/connections/{}/saml/acs", company.tenant, self.variety.slug());
        Ok(http::post(&company.host, &path, &format!("cookie: {cookies}\r\n"), &pairs.join("&")))
    }
}

fn encryption_certificate(address: SocketAddr) -> anyhow::Result<Vec<u8>> {
    let path = format!("/t/{TENANT}/connections/{}/saml/metadata", Variety::Encrypted.slug());
    let metadata = document(address, &path)?;
    let (_, key) = metadata.split_once("use=\"encryption\"").context("the SP metadata has no encryption key")?;
    certificates(key)?.into_iter().next().context("the encryption key has no certificate")
}

/// A document of the server, as text.
pub fn document(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut connection = Connection::open(address)?;
    let answer = connection.call(&http::get(&address.to_string(), path, ""))?.expect(200)?;
    Ok(std::str::from_utf8(answer.body)?.to_owned())
}

/// The certificates in metadata, in order.
pub fn certificates(metadata: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let all = metadata.split("<ds:X509Certificate>").skip(1);
    all.map(|rest| Ok(STANDARD.decode(rest.split('<').next().unwrap_or_default())?)).collect()
}

/// Somebody with the attributes that companies send.
pub fn person(number: usize) -> Person {
    Person::new(format!("person-{number}"))
        .with("mail", &[&format!("person-{number}@bench.example")])
        .with("givenName", &["Pat"])
        .with("sn", &[&format!("Person {number}")])
        .with("displayName", &[&format!("Pat Person {number}")])
        .with(
            "memberOf",
            &[
                "cn=employees,ou=groups,dc=bench,dc=example",
                "cn=engineering,ou=groups,dc=bench,dc=example",
                "cn=on-call,ou=groups,dc=bench,dc=example",
            ],
        )
}

/// The same with attributes until there are this many.
pub fn person_with(number: usize, attributes: usize) -> Person {
    let mut person = person(number);
    let value = "a value as long as those that directories hold for the people of a company: 0123456789";
    for at in person.attributes.len()..attributes {
        person = person.with(format!("urn:oid:1.3.6.1.4.1.99999.1.{at}"), &[value]);
    }
    person
}

/// Somebody whose Response has this many octets, or a little more.
pub fn person_of(host: &str, octets: usize) -> anyhow::Result<impl Fn(usize) -> Person + Send + 'static> {
    let length = |attributes| anyhow::Ok(sample_response(host, &person_with(0, attributes))?.len());
    let (few, many) = (length(100)?, length(200)?);
    let mut attributes = 200 + octets.saturating_sub(many) * 100 / (many - few);
    while length(attributes)? < octets {
        attributes += 1;
    }
    Ok(move |number| person_with(number, attributes))
}

/// A Response of the same shape as those of the logins, in the clear.
pub fn sample_response(host: &str, person: &Person) -> anyhow::Result<String> {
    let base = format!("http://{host}/t/{TENANT}/connections/unsigned/saml");
    let request = ReceivedRequest {
        id: format!("_{}", "0".repeat(32)),
        issuer: format!("{base}/metadata"),
        acs: Some(format!("{base}/acs")),
        ..ReceivedRequest::default()
    };
    let idp = Variety::Unsigned.idp();
    Ok(idp.answer(&request, person, SystemClock.now()).build(&idp)?)
}
