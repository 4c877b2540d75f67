//! Single sign-on at the identity provider side: somebody is logged in, and a service provider asks
//! again and again. Each request has an ID of its own, and gets an assertion of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use fedbridge_contract::services::Clock as _;
use fedbridge_keys::SystemClock;
use fedbridge_saml::seam::VerifyKey;
use fedbridge_saml::testkit::{AuthnRequestPlan, Person, ScriptedSp, Sign};

use crate::chain::{Company, TENANT, Upstream as _};
use crate::http;
use crate::load::Call;
use crate::upstream::{Provider, Variety, certificates, document};

/// How the service provider asks, always by redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    Unsigned,
    Signed,
}

impl Asks {
    pub const ALL: [Self; 2] = [Self::Unsigned, Self::Signed];

    /// Of its service provider.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Unsigned => "sp-unsigned",
            Self::Signed => "sp-signed",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned requests",
            Self::Signed => "signed requests",
        }
    }

    /// It takes part in logouts, as most do: then it joins the session.
    pub fn sp(self) -> ScriptedSp {
        let host = format!("https://{}.example", self.slug());
        let mut sp = ScriptedSp::new(host.clone(), format!("{host}/acs")).with_slo(&format!("{host}/slo"));
        sp.authn_requests_signed = (self == Self::Signed).then_some(true);
        sp
    }
}

/// The identity provider side as a service provider knows it.
pub struct IdpSide {
    company: Company,
    sso: String,
    keys: Vec<VerifyKey>,
    provider: Provider,
}

/// One answer of so many is verified and read; the others only have to be there, since reading them is
/// the load's own CPU.
const READ: usize = 64;

impl IdpSide {
    pub fn of(address: SocketAddr) -> anyhow::Result<Self> {
        let metadata = document(address, &format!("/t/{TENANT}/saml/metadata"))?;
        let keys = certificates(&metadata)?;
        let keys = keys.iter().map(|der| VerifyKey::from_certificate_der(der)).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            company: Company { host: address.to_string(), tenant: TENANT.to_owned() },
            sso: format!("http://{address}/t/{TENANT}/saml/sso"),
            keys: keys.map_err(|refusal| anyhow::anyhow!("a key of the IdP metadata: {refusal}"))?,
            provider: Provider::of(Variety::Unsigned, address)?,
        })
    }

    /// What one browser does: it logs in at its first turn, and is known from then on.
    pub fn call(self: &Arc<Self>, asks: Asks, person: Person) -> Call {
        let (side, sp) = (Arc::clone(self), asks.sp());
        let mut session = None;
        let mut turn = 0_usize;
        Box::new(move |connection| {
            let plan = sp.request(&side.sso, SystemClock.now());
            let query = match asks {
                Asks::Unsigned => plan.unsigned_query(Some("bench"))?,
                Asks::Signed => plan.query(&sp, Some("bench"))?,
            };
            let cookie = session.as_ref().map(|cookies| format!("cookie: {cookies}\r\n")).unwrap_or_default();
            let request = http::get(&side.company.host, &format!("/t/{TENANT}/saml/sso?{query}"), &cookie);
            let answer = connection.call(&request)?;
            if session.is_none() {
                let answer = answer.expect(303).context("SSO")?;
                let (location, cookies) = (answer.location()?, answer.cookies());
                let request = side.provider.answer(&side.company, &location, &cookies, &person)?;
                let answer = connection.call(&request)?.expect(200).context("ACS")?;
                session = Some(answer.cookies());
                return side.read(&sp, &plan, &person, answer.body);
            }
            let answer = answer.expect(200).context("SSO with a session")?;
            ensure!(answer.contains("name=\"SAMLResponse\""), "the answer has no SAMLResponse");
            turn += 1;
            if turn % READ == 1 { side.read(&sp, &plan, &person, answer.body) } else { Ok(()) }
        })
    }

    /// Both signatures, and that it is the answer to this request and about this person.
    fn read(&self, sp: &ScriptedSp, plan: &AuthnRequestPlan, person: &Person, page: &[u8]) -> anyhow::Result<()> {
        let page = std::str::from_utf8(page)?;
        let (_, rest) = page.split_once("name=\"SAMLResponse\" value=\"").context("the page has no SAMLResponse")?;
        let value = rest.split('"').next().unwrap_or_default().to_owned();
        let answer = sp.receive(&[("SAMLResponse".to_owned(), value)], &self.keys)?;
        ensure!(answer.signed == Sign::Both, "signed is {:?}", answer.signed);
        ensure!(answer.in_response_to.as_ref() == Some(&plan.id), "the answer is to another request");
        let Some(assertion) = answer.assertion else { bail!("there is no assertion: {:?}", answer.status) };
        let mail = person.attributes.first().map(|(_, values)| values.as_slice()).unwrap_or_default();
        ensure!(assertion.values("mail") == mail, "the assertion has another mail: {:?}", assertion.attributes);
        Ok(())
    }
}
