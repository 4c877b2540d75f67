//! Claims of a person: by each upstream, in what apps were given, and in what they would be given now.

use std::collections::BTreeSet;
use std::sync::Arc;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::current::Current;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::identity::Attributes;
use fedbridge_contract::ids::{ConnectionId, PersonId};
use fedbridge_contract::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::ports::{ProfileSource, StoredProfile};
use crate::run::Hub;
use crate::run::snapshot::TenantSnapshot;

/// Grants that are looked at.
const GRANTS: usize = 20;

/// What an upstream says, mapped by its connection's rules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceTruth {
    pub connection: String,
    pub by: SourceKind,
    pub subject: String,
    /// Where the entry is in a directory: its DN.
    pub place: Option<String>,
    pub changed: Timestamp,
    /// Why the person does not come in by it.
    pub kept_out: Option<String>,
    pub claims: Claims,
    pub attributes: Attributes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    Login,
    Sync,
    Push,
}

/// What an app was given last: at the login, or at a refresh.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenTruth {
    /// Its client_id or entity ID.
    pub app: String,
    /// When the person logged in for it.
    pub given: Timestamp,
    pub connection: String,
    pub claims: Claims,
    pub next: Next,
}

/// What the next token would carry.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "what")]
pub enum Next {
    Same,
    Others(Claims),
    /// There is none, and why.
    Refused(String),
    /// Nobody can say now, and why.
    Unknown(String),
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClaimTruth {
    pub claim: String,
    /// As [`Explained::sources`](super::Explained), in its order.
    pub sources: Vec<Option<Value>>,
    /// As [`Explained::tokens`](super::Explained), in its order: the last token's value, and the next one's.
    pub tokens: Vec<(Option<Value>, Option<Value>)>,
}

impl Hub {
    /// Of apps that still hold something, the newest grant of each.
    pub(super) async fn tokens_of(
        &self,
        tenant: &Arc<TenantSnapshot>,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Vec<TokenTruth>, StoreError> {
        let mut tokens: Vec<TokenTruth> = Vec::new();
        for id in self.people.unrevoked(tenant.view.id, person, now).await?.into_iter().take(GRANTS) {
            let Some(grant) = self.services.grants.find(tenant.view.id, id, None, now).await? else { continue };
            let app = tenant.view.app_by_id(grant.record.app);
            let app = app.map(|app| app.protocol_name.clone().unwrap_or_else(|| app.name.clone()));
            let app = app.unwrap_or_else(|| "an application that is gone".to_owned());
            if tokens.iter().any(|token| token.app == app && token.given >= grant.record.auth_time) {
                continue;
            }
            let next = match self.services.current_claims.current(&tenant.view, &grant, now).await {
                Current::AsGranted => Next::Same,
                Current::Changed(claims) => Next::Others(claims),
                Current::Denied(why) => Next::Refused(why),
                Current::Unknown(why) => Next::Unknown(why),
            };
            tokens.retain(|token| token.app != app);
            tokens.push(TokenTruth {
                app,
                given: grant.record.auth_time,
                connection: slug(tenant, grant.record.connection),
                claims: grant.record.claims,
                next,
            });
        }
        tokens.sort_by(|one, other| other.given.cmp(&one.given).then_with(|| one.app.cmp(&other.app)));
        Ok(tokens)
    }
}

pub(super) fn source(tenant: &TenantSnapshot, profile: StoredProfile) -> SourceTruth {
    SourceTruth {
        connection: slug(tenant, profile.connection),
        by: match profile.source {
            ProfileSource::Login => SourceKind::Login,
            ProfileSource::Sync => SourceKind::Sync,
            ProfileSource::Push => SourceKind::Push,
        },
        subject: profile.subject_key,
        place: profile.profile.place,
        changed: profile.changed,
        kept_out: profile.disabled,
        claims: profile.profile.claims,
        attributes: profile.profile.attributes,
    }
}

/// Every claim that anybody names, once.
pub(super) fn table(sources: &[SourceTruth], tokens: &[TokenTruth]) -> Vec<ClaimTruth> {
    let next = |token: &TokenTruth| match &token.next {
        Next::Same => Some(token.claims.clone()),
        Next::Others(claims) => Some(claims.clone()),
        Next::Refused(_) | Next::Unknown(_) => None,
    };
    let nexts: Vec<_> = tokens.iter().map(next).collect();
    let all = sources.iter().map(|source| &source.claims).chain(tokens.iter().map(|token| &token.claims));
    let all = all.chain(nexts.iter().flatten());
    let names: BTreeSet<&String> = all.flat_map(Claims::iter).map(|(name, _)| name).collect();
    let row = |name: &String| ClaimTruth {
        claim: name.clone(),
        sources: sources.iter().map(|source| source.claims.get(name).cloned()).collect(),
        tokens: tokens
            .iter()
            .zip(&nexts)
            .map(|(token, next)| {
                (token.claims.get(name).cloned(), next.as_ref().and_then(|next| next.get(name).cloned()))
            })
            .collect(),
    };
    names.into_iter().map(row).collect()
}

pub(super) fn slug(tenant: &TenantSnapshot, id: ConnectionId) -> String {
    tenant.view.connection_by_id(id).map_or_else(|| "a connection that is gone".to_owned(), |it| it.slug.clone())
}
