//! Opens OpenID Connect connections from their settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use fedbridge_contract::documents::PartnerDocuments;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::{AdapterFactory, Field, Open};
use fedbridge_contract::upstream::Adapter;

use crate::initiate;
use crate::jwks::KeySets;
use crate::metadata::Provider;
use crate::party::{CALLBACK_ROUTE, RelyingParty, SharedParty};
use crate::settings::{Discovery, FIELDS, GROUPS_API_TOKEN, SIGNALS_AUTHORIZATION, Settings};

/// `protocol: oidc`. One for a process: it keeps the providers' keys over changes of the configuration.
#[derive(Default)]
pub struct OidcFactory {
    key_sets: Arc<KeySets>,
}

impl AdapterFactory for OidcFactory {
    fn kind(&self) -> &'static str {
        "oidc"
    }

    fn can_log_in(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [Field] {
        FIELDS
    }

    fn documents(&self) -> Option<&dyn PartnerDocuments> {
        Some(self)
    }

    fn open(&self, input: Open<'_>) -> Result<Adapter, Vec<Complaint>> {
        let party = Arc::new(self.party(&input)?);
        // Whoever changed the configuration may have meant the keys: they are looked at again, and the last good
        // ones stay where that fails.
        self.key_sets.renew(input.tenant, input.connection);
        let shared = || SharedParty(Arc::clone(&party));
        Ok(Adapter {
            login: Some(Box::new(shared())),
            logout: Some(Box::new(shared())),
            refresh: party.settings.keeps_tokens().then(|| Box::new(shared()) as _),
            metadata: Some(Box::new(shared())),
            check: Some(Box::new(shared())),
            ..Adapter::default()
        })
    }
}

impl OidcFactory {
    /// Opens the relying party of one connection.
    ///
    /// # Errors
    /// Every complaint about the settings; where they are fine, every one about the metadata.
    pub fn party(&self, input: &Open<'_>) -> Result<RelyingParty, Vec<Complaint>> {
        let settings = Settings::parse(input.settings, input.secrets)?;
        let provider = match &settings.discovery {
            Discovery::Off => Some(Provider::read(&settings, None)?),
            Discovery::At { text: Some(text), .. } if !text.is_empty() => Some(Provider::read(&settings, Some(text))?),
            Discovery::At { .. } => None,
        };
        let address = input.address.trim_end_matches('/').to_owned();
        Ok(RelyingParty {
            connection: input.connection,
            callback: format!("{address}/{CALLBACK_ROUTE}"),
            address,
            initiate: settings.initiate_login.as_ref().map(initiate::policy),
            settings,
            secrets: secrets(input.secrets),
            groups_api_token: groups_api_token(input.secrets)?,
            signals_authorization: input.secrets.get(SIGNALS_AUTHORIZATION).cloned(),
            provider,
            services: input.services.clone(),
            key_sets: Arc::clone(&self.key_sets),
        })
    }
}

/// `client_secret`, or `client_secret/0` and `client_secret/1`, in this order.
fn secrets(all: &BTreeMap<String, Vec<u8>>) -> Vec<Vec<u8>> {
    all.iter().filter(|(name, _)| name.starts_with("client_secret")).map(|(_, secret)| secret.clone()).collect()
}

/// A header takes it, so it is one visible word.
fn groups_api_token(all: &BTreeMap<String, Vec<u8>>) -> Result<Option<String>, Vec<Complaint>> {
    let Some(token) = all.get(GROUPS_API_TOKEN) else { return Ok(None) };
    let word = String::from_utf8(token.clone()).ok();
    let word = word.filter(|word| !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_graphic()));
    word.map(Some).ok_or_else(|| vec![Complaint::new(GROUPS_API_TOKEN, "is not one word of visible characters")])
}
