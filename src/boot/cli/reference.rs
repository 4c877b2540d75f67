//! `reference`: what a bridge file may say.

use std::process::ExitCode;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::factory::Field;

use crate::bridge::reference::{
    CLIENT, CONNECTION, LDAP_APP, LDAP_APPS, SCIM_APP, SERVICE_PROVIDER, SIGNAL_RECEIVER, TENANT,
};
use crate::registry;

use super::CliError;
use super::output::print;

/// Where lines are broken.
const WIDTH: usize = 100;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  fedbridge reference\n  fedbridge reference connection")]
pub struct Args {
    /// Only of this object [default: all]
    #[arg(value_name = "OBJECT")]
    object: Option<Object>,
}

/// What stands in a bridge file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Object {
    #[value(alias = "tenants")]
    Tenant,
    #[value(alias = "connections")]
    Connection,
    #[value(alias = "clients")]
    Client,
    #[value(name = "service_provider", aliases = ["service_providers", "service-provider", "service-providers", "provider"])]
    ServiceProvider,
    #[value(name = "ldap_directory", aliases = ["ldap-directory", "ldap"])]
    LdapDirectory,
    #[value(name = "ldap_app", aliases = ["ldap-app", "ldap_apps", "ldap-apps"])]
    LdapApp,
    #[value(name = "scim_app", aliases = ["scim-app", "scim_apps", "scim-apps"])]
    ScimApp,
    #[value(name = "signal_receiver", aliases = ["signal_receivers", "signal-receiver", "signal-receivers", "receiver"])]
    SignalReceiver,
}

const ALL: [Object; 8] = [
    Object::Tenant,
    Object::Connection,
    Object::Client,
    Object::ServiceProvider,
    Object::LdapDirectory,
    Object::LdapApp,
    Object::ScimApp,
    Object::SignalReceiver,
];

pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    let wanted = ALL.into_iter().filter(|object| args.object.is_none_or(|only| only == *object));
    print(&wanted.map(describe).collect::<Vec<_>>().join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn describe(object: Object) -> String {
    match object {
        Object::Tenant => section("Of every tenant, an entry of `tenants`", TENANT),
        Object::Connection => {
            let mut text = section("Of every connection, an entry of `connections`", CONNECTION);
            let registry = registry::upstreams();
            for kind in registry.kinds() {
                let fields = registry.find(kind).map_or(&[][..], |factory| factory.fields());
                text.push('\n');
                text.push_str(&section(&format!("Of a connection with `protocol: {kind}`"), fields));
            }
            text
        }
        Object::Client => {
            let all: Vec<Field> = CLIENT.iter().chain(registry::app_fields(AppKind::OidcClient)).copied().collect();
            section("Of every OpenID Connect client, an entry of `clients`", &all)
        }
        Object::ServiceProvider => {
            let own = registry::app_fields(AppKind::SamlSp);
            let all: Vec<Field> = SERVICE_PROVIDER.iter().chain(own).copied().collect();
            section("Of every SAML service provider, an entry of `service_providers`", &all)
        }
        Object::LdapDirectory => {
            let all: Vec<Field> = LDAP_APPS.iter().chain(registry::ldap_directory_fields()).copied().collect();
            section("Of a tenant's LDAP directory, `ldap_directory`", &all)
        }
        Object::LdapApp => {
            let own = registry::app_fields(AppKind::LdapApp);
            let all: Vec<Field> = LDAP_APP.iter().chain(own).copied().collect();
            section("Of every app that speaks LDAP, an entry of `ldap_directory.apps`", &all)
        }
        Object::SignalReceiver => {
            let own = registry::app_fields(AppKind::SignalReceiver);
            let all: Vec<Field> = SIGNAL_RECEIVER.iter().chain(own).copied().collect();
            section("Of every receiver of signals, an entry of `signal_receivers`", &all)
        }
        Object::ScimApp => {
            let own = registry::app_fields(AppKind::ScimApp);
            let all: Vec<Field> = SCIM_APP.iter().chain(own).copied().collect();
            section("Of every app with a SCIM server, an entry of `scim_apps`", &all)
        }
    }
}

fn section(title: &str, fields: &[Field]) -> String {
    let mut text = format!("{title}:\n");
    for field in fields {
        let mark = if field.required { " (required)" } else { "" };
        text.push_str(&format!("  {}{mark}\n", field.name));
        for line in wrapped(field.help, WIDTH - 6) {
            text.push_str(&format!("      {line}\n"));
        }
    }
    text
}

/// Lines of at most so many characters, where words allow it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_whole() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("longer than that", 3), ["longer", "than", "that"]);
        assert_eq!(wrapped("", 3), Vec::<String>::new());
    }

    #[test]
    fn every_setting_has_its_help() {
        for object in ALL {
            let text = describe(object);
            let names = |text: &str| -> Vec<String> {
                text.lines()
                    .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
                    .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
                    .collect()
            };
            for section in text.split("\n\n") {
                let names = names(section);
                let mut once = names.clone();
                once.sort_unstable();
                once.dedup();
                assert_eq!(once.len(), names.len(), "a name stands twice in\n{section}");
            }
            let names = names(&text);
            let sentences = text.lines().filter(|line| line.starts_with("      ") && line.ends_with('.')).count();
            assert!(sentences >= names.len(), "a name has no help in\n{text}");
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        }
        let connection = describe(Object::Connection);
        for own in
            ["`protocol: oidc`", "`protocol: saml`", "  discovery\n", "  idp_metadata (required)\n", "  people\n"]
        {
            assert!(connection.contains(own), "{own} is missing in\n{connection}");
        }
        let provider = describe(Object::ServiceProvider);
        assert!(provider.contains("  sp_metadata (required)\n      The service provider's metadata"), "{provider}");
        assert!(provider.contains("  groups\n") && !provider.contains("client_id"), "{provider}");
    }
}
