//! What the account page shows.

use std::collections::BTreeMap;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::{AppId, ConnectionId, TenantId};
use fedbridge_contract::page::{AccountPage, AccountRow, OwnForm, Page};
use fedbridge_contract::time::Timestamp;

use crate::ports::StoredIdentity;
use crate::run::Hub;
use crate::run::own::{Act, TOKEN};
use crate::run::session::LiveSession;
use crate::run::snapshot::TenantSnapshot;
use crate::run::start::Login;

/// The field that names what an action is done with.
pub(super) const OBJECT: &str = "object";

impl Hub {
    pub(super) async fn account_page(
        &self,
        login: &Login,
        live: &LiveSession,
        input: &HttpInput,
    ) -> Result<Reply, StoreError> {
        let (tenant, now) = (&login.tenant, login.started);
        let (id, person) = (tenant.view.id, live.stored.person);
        let identities = self.people.identities(id, person).await?;
        let form = |act, object: &str| self.form(tenant, input, act, object);
        let (factors, enrol) = self.factor_rows(tenant, live, &form).await?;
        let (app_passwords, app_password_for) = self.app_password_rows(tenant, live, &form).await?;
        let page = AccountPage {
            tenant: tenant.view.display_name.clone(),
            person: live.record.subject.display.clone(),
            sessions: self.session_rows(tenant, live, now, &form).await?,
            apps: self.app_rows(tenant, live, now, &form).await?,
            logins: self.login_rows(tenant, live, &identities, &form),
            connect: connect_rows(tenant, &identities, &form),
            factors,
            enrol,
            app_passwords,
            app_password_for,
            logout: format!("{}/logout", tenant.view.issuer),
        };
        Ok(Reply::page(Page::Account(Box::new(page))).in_language(login.locale()))
    }

    async fn session_rows(
        &self,
        tenant: &TenantSnapshot,
        live: &LiveSession,
        now: Timestamp,
        form: &(dyn Fn(Act, &str) -> OwnForm + Sync),
    ) -> Result<Vec<AccountRow>, StoreError> {
        let stored = self.people.sessions(tenant.view.id, live.stored.person, now).await?;
        let rows = stored.into_iter().map(|session| {
            let here = session.id == live.stored.id;
            AccountRow {
                name: connection_name(tenant, session.connection),
                since: session.id.made().map(Timestamp::rfc3339_seconds),
                note: None,
                here,
                // This one ends by logging out, which tells the apps by way of the browser too.
                form: (!here).then(|| form(Act::End, &session.id.to_string())),
            }
        });
        Ok(rows.collect())
    }

    /// Apps that can get something for the person without asking, and those that the person agreed to.
    async fn app_rows(
        &self,
        tenant: &TenantSnapshot,
        live: &LiveSession,
        now: Timestamp,
        form: &(dyn Fn(Act, &str) -> OwnForm + Sync),
    ) -> Result<Vec<AccountRow>, StoreError> {
        let (id, person) = (tenant.view.id, live.stored.person);
        let mut since: BTreeMap<AppId, Option<Timestamp>> = BTreeMap::new();
        for (grant, app) in self.people.grants(id, person, now).await? {
            // The newest comes first.
            since.entry(app).or_insert_with(|| grant.made());
        }
        for consent in self.people.consents(id, person).await? {
            since.entry(consent.app).or_insert(Some(consent.at));
        }
        let mut rows: Vec<_> = since
            .into_iter()
            .filter_map(|(app, since)| {
                Some(AccountRow {
                    name: tenant.view.app_by_id(app)?.display_name.clone(),
                    since: since.map(Timestamp::rfc3339_seconds),
                    note: None,
                    here: false,
                    form: Some(form(Act::Forget, &app.to_string())),
                })
            })
            .collect();
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(rows)
    }

    fn login_rows(
        &self,
        tenant: &TenantSnapshot,
        live: &LiveSession,
        identities: &[StoredIdentity],
        form: &(dyn Fn(Act, &str) -> OwnForm + Sync),
    ) -> Vec<AccountRow> {
        let rows = identities.iter().map(|identity| {
            let here = is_in_use(live, identity);
            let object = self.identity_name(tenant.view.id, identity);
            AccountRow {
                name: connection_name(tenant, identity.connection),
                since: Some(identity.since.rfc3339_seconds()),
                note: Some(identity.display.clone()),
                here,
                form: (!here && identities.len() > 1).then(|| form(Act::Unlink, &object)),
            }
        });
        rows.collect()
    }

    fn form(&self, tenant: &TenantSnapshot, input: &HttpInput, act: Act, object: &str) -> OwnForm {
        let token = self.form_token(tenant.view.id, input, act, object);
        let fields = vec![(OBJECT.to_owned(), object.to_owned()), (TOKEN.to_owned(), token)];
        OwnForm { action: format!("{}/{}", tenant.view.issuer, act.path()), fields }
    }

    /// An identity's name in a form, which tells nothing of the subject.
    pub(super) fn identity_name(&self, tenant: TenantId, identity: &StoredIdentity) -> String {
        let what = format!("{}\n{}", identity.connection, identity.subject_key);
        self.short_token(tenant, "identity of a form", what.as_bytes())
    }
}

/// Whether the session of this browser came by this identity the last time.
pub(super) fn is_in_use(live: &LiveSession, identity: &StoredIdentity) -> bool {
    identity.connection == live.stored.connection && identity.subject_key == live.record.subject.key
}

/// Connections by which the person does not come yet, and that let people connect them.
fn connect_rows(
    tenant: &TenantSnapshot,
    identities: &[StoredIdentity],
    form: &(dyn Fn(Act, &str) -> OwnForm + Sync),
) -> Vec<AccountRow> {
    let open = tenant.view.connections.iter().filter_map(|view| tenant.connections.get(&view.id));
    let free = open.filter(|open| {
        open.may_be_connected() && identities.iter().all(|identity| identity.connection != open.view.id)
    });
    let row = |open: &std::sync::Arc<crate::run::OpenConnection>| AccountRow {
        name: open.view.display_name.clone(),
        since: None,
        note: None,
        here: false,
        form: Some(form(Act::Connect, &open.view.slug)),
    };
    free.map(row).collect()
}

fn connection_name(tenant: &TenantSnapshot, connection: ConnectionId) -> String {
    let view = tenant.view.connection_by_id(connection);
    view.map_or_else(|| "A login that is gone".to_owned(), |view| view.display_name.clone())
}
