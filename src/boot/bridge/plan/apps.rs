//! The apps of a tenant: clients, service providers, LDAP apps, SCIM apps and receivers of signals, each kind among its own.

use std::collections::BTreeMap;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::ids::{AppId, ConnectionId, TenantId};
use fedbridge_contract::logout::Party;
use fedbridge_hub::spec::{AppSpec, ConfigChange, Managed, SecretOwner, StoredApp, TenantConfiguration};

use crate::bridge::desired::{
    DesiredClient, DesiredLdapApp, DesiredProvider, DesiredReceiver, DesiredScimApp, DesiredTenant, Secrets,
};
use crate::bridge::{clients, ldap_apps, scim_apps, service_providers, signal_receivers};
use crate::settings::complaints::Place;

use super::objects::{Planner, name_rename};
use super::pairing::{Wanted, pair};
use super::{Object, diff};

impl Planner<'_> {
    pub(super) fn apps(
        &mut self,
        tenant: &DesiredTenant,
        id: TenantId,
        old: Option<&TenantConfiguration>,
        connections: &BTreeMap<&str, ConnectionId>,
    ) {
        let none = Secrets::default();
        let clients: Vec<_> = tenant.clients.iter().map(Wish::client).collect();
        self.of_kind(&CLIENTS, &clients, (tenant, id), old, connections);
        let providers = tenant.service_providers.iter().map(|provider| Wish::provider(provider, &none));
        self.of_kind(&PROVIDERS, &providers.collect::<Vec<_>>(), (tenant, id), old, connections);
        let ldap_apps: Vec<_> = tenant.ldap_apps.iter().map(Wish::ldap_app).collect();
        self.of_kind(&LDAP_APPS, &ldap_apps, (tenant, id), old, connections);
        let scim_apps: Vec<_> = tenant.scim_apps.iter().map(Wish::scim_app).collect();
        self.of_kind(&SCIM_APPS, &scim_apps, (tenant, id), old, connections);
        let receivers: Vec<_> = tenant.signal_receivers.iter().map(Wish::receiver).collect();
        self.of_kind(&RECEIVERS, &receivers, (tenant, id), old, connections);
    }

    fn of_kind(
        &mut self,
        words: &Words,
        wishes: &[Wish<'_>],
        (tenant, id): (&DesiredTenant, TenantId),
        old: Option<&TenantConfiguration>,
        connections: &BTreeMap<&str, ConnectionId>,
    ) {
        let stored: Vec<&StoredApp> =
            old.into_iter().flat_map(|old| &old.apps).filter(|app| app.spec.kind == words.kind).collect();
        let names: Vec<&str> = stored.iter().map(|app| app.spec.name.as_str()).collect();
        let wanted: Vec<_> = wishes.iter().map(|wish| Wanted { name: &wish.spec.name, was: wish.was }).collect();
        let places: Vec<&Place> = wishes.iter().map(|wish| wish.place).collect();
        let pairing = pair(&wanted, &names);
        self.report_clashes(&pairing, &wanted, &places, words.noun);
        let mut puts: Vec<Option<ConfigChange>> = Vec::new();
        for (wish, at) in wishes.iter().zip(&pairing.of) {
            puts.push(self.app(words, wish, (tenant, id), at.map(|at| stored[at]), old, connections));
        }
        self.changes.apps.extend(pairing.order.iter().filter_map(|at| puts[*at].take()));
        for (at, left) in stored.iter().enumerate().filter(|(at, _)| !pairing.of.contains(&Some(*at))) {
            let change = ConfigChange::DeleteApp { tenant: id, id: left.id };
            self.leave(Object::app(words.kind, &tenant.slug, names[at]), left.managed, change);
        }
    }

    fn app(
        &mut self,
        words: &Words,
        wish: &Wish<'_>,
        (tenant, tenant_id): (&DesiredTenant, TenantId),
        before: Option<&StoredApp>,
        old: Option<&TenantConfiguration>,
        connections: &BTreeMap<&str, ConnectionId>,
    ) -> Option<ConfigChange> {
        let id = before.map_or_else(|| AppId::random(self.rng), |before| before.id);
        let ids =
            |slugs: &Vec<String>| slugs.iter().filter_map(|slug| connections.get(slug.as_str()).copied()).collect();
        let settings = self.keep_document(tenant_id, Party::App(id), &wish.spec.settings, old);
        let spec = AppSpec { connections: wish.connections.map(ids), settings, ..wish.spec.clone() };
        let secrets = self.secrets(tenant_id, SecretOwner::App(id), wish.secrets, old);
        let changed = before.map(|before| {
            let mut fields = diff::fields(&before.spec, &spec, before.managed, words.fields);
            if fields.iter().any(|field| !words.derived.contains(&field.as_str())) {
                fields.retain(|field| !words.derived.contains(&field.as_str()));
            }
            name_rename(&mut fields, words.name, &before.spec.name, &spec.name);
            fields.extend(secrets);
            fields
        });
        let object = Object::app(words.kind, &tenant.slug, &spec.name);
        self.note(object, changed).then_some(ConfigChange::PutApp(StoredApp {
            tenant: tenant_id,
            id,
            managed: Managed::File,
            spec,
        }))
    }
}

/// How the bridge file speaks of one kind of app.
struct Words {
    kind: AppKind,
    noun: &'static str,
    /// The field that names it.
    name: &'static str,
    /// Fields of [`AppSpec`] that have another name in the file.
    fields: &'static [(&'static str, &'static str)],
    /// Fields that follow from others, and are named only where they change alone.
    derived: &'static [&'static str],
}

const CLIENTS: Words = Words {
    kind: AppKind::OidcClient,
    noun: "client",
    name: "client_id",
    fields: &[("display_name", "name"), ("name", "client_id")],
    derived: &[],
};

const PROVIDERS: Words = Words {
    kind: AppKind::SamlSp,
    noun: "service provider",
    name: "slug",
    fields: &[
        ("display_name", "name"),
        ("name", "slug"),
        ("protocol_name", "its entity ID"),
        ("release", "what it is released"),
    ],
    derived: &["its entity ID", "what it is released"],
};

const LDAP_APPS: Words = Words {
    kind: AppKind::LdapApp,
    noun: "LDAP app",
    name: "slug",
    fields: &[("display_name", "name"), ("name", "slug")],
    derived: &[],
};

const RECEIVERS: Words = Words {
    kind: AppKind::SignalReceiver,
    noun: "receiver of signals",
    name: "slug",
    fields: &[("display_name", "name"), ("name", "slug")],
    derived: &[],
};

const SCIM_APPS: Words = Words {
    kind: AppKind::ScimApp,
    noun: "SCIM app",
    name: "slug",
    fields: &[("display_name", "name"), ("name", "slug"), ("release", "what it is released")],
    derived: &["what it is released"],
};

/// An app as the file wants it.
struct Wish<'a> {
    place: &'a Place,
    was: Option<&'a str>,
    spec: AppSpec,
    /// Slugs; `None` means all of the tenant.
    connections: Option<&'a Vec<String>>,
    secrets: &'a Secrets,
}

impl<'a> Wish<'a> {
    fn client(client: &'a DesiredClient) -> Self {
        Self {
            place: &client.place,
            was: client.was.as_deref(),
            spec: clients::app_spec(client),
            connections: client.connections.as_ref(),
            secrets: &client.secrets,
        }
    }

    fn provider(provider: &'a DesiredProvider, no_secrets: &'a Secrets) -> Self {
        Self {
            place: &provider.place,
            was: provider.was.as_deref(),
            spec: service_providers::app_spec(provider),
            connections: provider.connections.as_ref(),
            secrets: no_secrets,
        }
    }

    fn receiver(receiver: &'a DesiredReceiver) -> Self {
        Self {
            place: &receiver.place,
            was: receiver.was.as_deref(),
            spec: signal_receivers::app_spec(receiver),
            connections: None,
            secrets: &receiver.secrets,
        }
    }

    fn scim_app(app: &'a DesiredScimApp) -> Self {
        Self {
            place: &app.place,
            was: app.was.as_deref(),
            spec: scim_apps::app_spec(app),
            connections: None,
            secrets: &app.secrets,
        }
    }

    fn ldap_app(app: &'a DesiredLdapApp) -> Self {
        Self {
            place: &app.place,
            was: app.was.as_deref(),
            spec: ldap_apps::app_spec(app),
            connections: None,
            secrets: &app.secrets,
        }
    }
}
