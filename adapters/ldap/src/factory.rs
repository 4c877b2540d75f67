//! Opens LDAP connections from their settings.

use std::sync::Arc;

use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::{AdapterFactory, Field, Open};
use fedbridge_contract::upstream::Adapter;

use crate::accounts::Accounts;
use crate::check::Checked;
use crate::directory::{Directory, SharedDirectory};
use crate::lockout::Learned;
use crate::settings::{FIELDS, Settings, Way};
use crate::wire::{self, Account, SettingsError, Upstream};
use crate::{attributes, find};

/// `protocol: ldap`.
pub struct LdapFactory;

impl AdapterFactory for LdapFactory {
    fn kind(&self) -> &'static str {
        "ldap"
    }

    fn can_log_in(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [Field] {
        FIELDS
    }

    fn open(&self, input: Open<'_>) -> Result<Adapter, Vec<Complaint>> {
        let directory = Arc::new(directory(&input)?);
        let shared = || SharedDirectory(Arc::clone(&directory));
        Ok(Adapter {
            password: Some(Box::new(shared())),
            refresh: directory.settings.revalidate.is_some().then(|| Box::new(shared()) as _),
            check: Some(Box::new(shared())),
            directory: directory.settings.sync.is_some().then(|| Box::new(shared()) as _),
            pass_through: Some(Arc::new(shared())),
            ..Adapter::default()
        })
    }
}

/// Opens the directory of one connection, without any network.
///
/// # Errors
/// Every complaint about the settings.
pub fn directory(input: &Open<'_>) -> Result<Directory, Vec<Complaint>> {
    let (settings, way) = Settings::parse(input.settings, input.secrets)?;
    let has_account = !matches!(way.account, Account::Anonymous);
    let bind_time = way.timeouts.bind;
    let upstream = Upstream::open(of_wire(input, way), input.services).map_err(|error| vec![complaint(&error)])?;
    Ok(Directory {
        connection: input.connection,
        upstream,
        services: input.services.clone(),
        bind_time,
        has_account,
        wanted: attributes::wanted(&settings),
        everybody: find::everybody(&settings.users),
        accounts: Accounts::default(),
        checked: Checked::default(),
        lockout: Learned::default(),
        settings,
    })
}

fn of_wire(input: &Open<'_>, way: Way) -> wire::Settings {
    wire::Settings {
        tenant: input.tenant,
        connection: input.connection,
        servers: way.servers,
        encryption: way.encryption,
        tls: way.tls,
        account: way.account,
        timeouts: way.timeouts,
        pool: way.pool,
        max_pdu: way.max_pdu,
        referrals: way.referrals.into(),
    }
}

fn complaint(error: &SettingsError) -> Complaint {
    let path = match error {
        SettingsError::NoServer | SettingsError::ClearToElsewhere(_) => "urls",
        SettingsError::ExternalWithoutCertificate | SettingsError::ClientCertificate(_) => "client_cert",
        SettingsError::Ca(_) => "ca_file",
    };
    Complaint::new(path, error.to_string())
}
