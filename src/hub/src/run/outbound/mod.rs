//! What an app with a SCIM server of its own is to have: whom, with which claims, in which groups. Who tells the app asks
//! here; the app itself is nothing that the hub knows.

mod record;

use std::collections::HashMap;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::config::{App, AppKind};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::identity::UpstreamSubject;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::trace::TraceLog;

use super::Hub;
use super::feed::best;
use super::provision::{folded, groups};
use super::snapshot::{OpenApp, TenantSnapshot};
use crate::decide::{ClientFacts, ConnectionFacts, DenialKind, Facts, RequestFacts, outside, release};
use crate::mapping::AppRules;
use crate::ports::{ProfiledPerson, StoredGroup, StoredProfile};

pub use record::ToldApp;

/// A person as one app may have them.
#[derive(Debug, Clone)]
pub struct Entitled {
    pub person: PersonId,
    pub standing: Standing,
    /// That the app may see.
    pub claims: Claims,
    /// By name: all that the person is in.
    pub groups: Vec<String>,
    /// What the app's own rules made.
    pub rules: TraceLog,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    In,
    /// They have no business there, and why.
    Out(String),
    /// A rule failed: nobody knows what it would have said, and nothing is changed.
    Unclear(String),
}

impl TenantSnapshot {
    /// Whether anybody asks for what is known of people without a login: the tenant shows a directory, or tells apps.
    pub(in crate::run) fn keeps_people(&self) -> bool {
        self.view.settings.ldap.is_some() || self.tells_apps()
    }

    /// Whether apps are told of the tenant's people.
    pub(in crate::run) fn tells_apps(&self) -> bool {
        self.apps.values().any(|app| app.view.enabled && app.view.kind == AppKind::ScimApp)
    }
}

impl Hub {
    /// Everybody, by id, about `most` at once; nobody behind the last one.
    ///
    /// # Errors
    /// The store does not answer, or the app's own rules are broken.
    pub async fn entitled_page(
        &self,
        tenant: &TenantSnapshot,
        app: &OpenApp,
        after: Option<PersonId>,
        most: u32,
    ) -> Result<Vec<Entitled>, StoreError> {
        let rules = app.whole_rules().map_err(StoreError)?;
        let people = self.profiles.page(tenant.view.id, after, most).await?;
        Ok(people.into_iter().map(|person| entitled(tenant, &app.view, rules, person)).collect())
    }

    /// These people; who is left out is gone.
    ///
    /// # Errors
    /// As [`Hub::entitled_page`].
    pub async fn entitled(
        &self,
        tenant: &TenantSnapshot,
        app: &OpenApp,
        ids: &[PersonId],
    ) -> Result<Vec<Entitled>, StoreError> {
        let rules = app.whole_rules().map_err(StoreError)?;
        let people = self.profiles.profiled(tenant.view.id, ids).await?;
        Ok(people.into_iter().map(|person| entitled(tenant, &app.view, rules, person)).collect())
    }

    /// The tenant's groups, those of these names among them, by their folded names.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn outbound_groups<'n>(
        &self,
        tenant: &TenantSnapshot,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<HashMap<String, StoredGroup>, StoreError> {
        self.ensure_groups(tenant, names).await?;
        let all = self.profiles.groups(tenant.view.id).await?;
        Ok(all.into_iter().map(|group| (folded(&group.name), group)).collect())
    }

    /// A keyed hash of what an app was sent of somebody.
    pub fn outbound_digest(&self, tenant: &TenantSnapshot, app: &OpenApp, sent: &str) -> [u8; 32] {
        let message = format!("{}\n{sent}", app.view.id);
        self.services.tokens.mac(tenant.view.id, "provisioned", message.as_bytes())
    }
}

/// How names of groups are compared.
pub fn same_group(name: &str) -> String {
    folded(name)
}

fn entitled(tenant: &TenantSnapshot, app: &App, rules: &AppRules, person: ProfiledPerson) -> Entitled {
    let ProfiledPerson { person: id, disabled, profiles, .. } = person;
    let mut log = TraceLog::new();
    let out = |why: &str| Standing::Out(why.to_owned());
    let none =
        |standing, rules| Entitled { person: id, standing, claims: Claims::default(), groups: Vec::new(), rules };
    let Some(best) = best(profiles) else { return none(out("nothing is known of them"), log) };
    if disabled {
        return none(out("switched off"), log);
    }
    if let Some(why) = &best.disabled {
        return none(Standing::Out(format!("kept out: {why}")), log);
    }
    let theirs: Vec<String> = groups(&best.profile.claims).map(str::to_owned).collect();
    if let Some(denial) = outside(&best.profile.claims, &rules.groups, &mut log) {
        return none(Standing::Out(denial.reason), log);
    }
    let (facts, claims) = facts(tenant, app, best);
    let outcome = release(&facts, &claims, rules);
    log.extend(outcome.trace);
    let standing = match outcome.denial {
        None => Standing::In,
        Some(denial) if denial.kind == DenialKind::RuleFailed => Standing::Unclear(denial.reason),
        Some(denial) => Standing::Out(denial.reason),
    };
    Entitled { person: id, standing, claims: outcome.released, groups: theirs, rules: log }
}

/// What the app's rules see, as at a login.
fn facts(tenant: &TenantSnapshot, app: &App, said: StoredProfile) -> (Facts, Claims) {
    let StoredProfile { connection, subject_key, profile, .. } = said;
    let view = tenant.view.connection_by_id(connection);
    let display = profile.claims.text("preferred_username").unwrap_or(&subject_key).to_owned();
    let facts = Facts {
        attributes: profile.attributes,
        subject: UpstreamSubject { key: subject_key, display, stable: true, scope: None },
        connection: ConnectionFacts {
            slug: view.map(|view| view.slug.clone()).unwrap_or_default(),
            domains: view.map(|view| view.domains.clone()).unwrap_or_default(),
        },
        client: Some(ClientFacts { name: app.name.clone(), scopes: Vec::new() }),
        user: None,
        pushed: None,
        request: RequestFacts::default(),
    };
    (facts, profile.claims)
}
