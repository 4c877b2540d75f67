//! Process settings as flags, the same for every command.

use std::path::PathBuf;

use clap::Args;

use crate::settings::complaints::{Complaints, Place};
use crate::settings::{FlagValue, Settings};

use super::CliError;
use super::output::note;

const HEADING: &str = "Process settings (each also in --config and as FEDBRIDGE_… variable)";

/// Values are read as text here, so that all mistakes of all sources are told together.
#[derive(Debug, Args)]
#[command(next_help_heading = HEADING)]
pub struct SettingsArgs {
    /// Settings file
    #[arg(long, global = true, env = "FEDBRIDGE_CONFIG", value_name = "FILE", hide_env = true)]
    config: Option<PathBuf>,
    /// Public address [default: http://127.0.0.1:8080]
    #[arg(long, global = true, value_name = "URL")]
    base_url: Option<String>,
    /// Where the bridge listens [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "IP:PORT")]
    http_listen: Option<String>,
    /// Certificate chain of the listener
    #[arg(long, global = true, value_name = "FILE")]
    http_tls_cert: Option<String>,
    /// Private key of the listener
    #[arg(long, global = true, value_name = "FILE")]
    http_tls_key: Option<String>,
    /// Whose forwarded headers are believed
    #[arg(long, global = true, value_name = "NETWORKS")]
    http_trusted_proxies: Option<String>,
    /// Where /livez, /readyz and /metrics are [default: 127.0.0.1:9090]
    #[arg(long, global = true, value_name = "IP:PORT")]
    management_listen: Option<String>,
    /// sqlite://PATH or postgres://… [default: sqlite://data/fedbridge.db]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Master key, made at first start [default: data/master.key]
    #[arg(long, global = true, value_name = "FILE")]
    master_key_file: Option<String>,
    /// Permit plain http and loopback targets [default: false]
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    egress_allow_loopback: Option<String>,
    /// How many calls to one partner may be under way [default: 8]
    #[arg(long, global = true, value_name = "NUMBER")]
    egress_max_per_partner: Option<String>,
    /// How many calls to all partners may be under way [default: 256]
    #[arg(long, global = true, value_name = "NUMBER")]
    egress_max: Option<String>,
    /// How often the database is asked for changes without a signal [default: 50ms]
    #[arg(long, global = true, value_name = "DURATION")]
    revocation_poll: Option<String>,
    /// How long a node that does not hear of the database goes on [default: 1s]
    #[arg(long, global = true, value_name = "DURATION")]
    revocation_lease: Option<String>,
    /// Listen for PostgreSQL's signals of changes [default: true]
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    revocation_notify: Option<String>,
    /// Failed authentications by address [default: 60/min]
    #[arg(long, global = true, value_name = "RATE")]
    limits_failures_per_ip: Option<String>,
    /// Failed authentications by account [default: 10/min]
    #[arg(long, global = true, value_name = "RATE")]
    limits_failures_per_account: Option<String>,
    /// How long recorded logins are kept [default: 30d]
    #[arg(long, global = true, value_name = "DURATION")]
    traces_keep: Option<String>,
    /// text or json [default: text on a terminal]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Level or filter [default: info]
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl SettingsArgs {
    /// Reads the settings from all sources.
    pub fn read(&self) -> Result<Settings, CliError> {
        let mut unreadable = Complaints::new();
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                match value.into_string() {
                    Ok(value) => Some((name, value)),
                    Err(_) if name.starts_with("FEDBRIDGE_") => {
                        unreadable.add(&Place::whole(format!("environment variable {name}")), "", "is not UTF-8 text");
                        None
                    }
                    Err(_) => None,
                }
            })
            .collect();
        match Settings::read(self.config.as_deref(), environment, &self.flags()) {
            Ok(settings) if unreadable.is_empty() => {
                settings.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
                Ok(settings)
            }
            result => {
                unreadable.extend(result.err().unwrap_or_default());
                Err(CliError::wrong_settings(unreadable))
            }
        }
    }

    fn flags(&self) -> Vec<FlagValue> {
        let all: [(&'static str, &Option<String>); 19] = [
            ("base_url", &self.base_url),
            ("http.listen", &self.http_listen),
            ("http.tls_cert", &self.http_tls_cert),
            ("http.tls_key", &self.http_tls_key),
            ("http.trusted_proxies", &self.http_trusted_proxies),
            ("management.listen", &self.management_listen),
            ("database.url", &self.database_url),
            ("master_key_file", &self.master_key_file),
            ("egress.allow_loopback", &self.egress_allow_loopback),
            ("egress.max_per_partner", &self.egress_max_per_partner),
            ("egress.max", &self.egress_max),
            ("revocation.poll", &self.revocation_poll),
            ("revocation.lease", &self.revocation_lease),
            ("revocation.notify", &self.revocation_notify),
            ("limits.failures_per_ip", &self.limits_failures_per_ip),
            ("limits.failures_per_account", &self.limits_failures_per_account),
            ("traces.keep", &self.traces_keep),
            ("log.format", &self.log_format),
            ("log.level", &self.log_level),
        ];
        all.into_iter().filter_map(|(key, value)| value.clone().map(|value| FlagValue { key, value })).collect()
    }
}
