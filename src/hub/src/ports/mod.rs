//! What the hub needs of the outside, in small slices, each owned by the use
//! case that needs it.

mod admins;
mod config;
mod login;
mod logouts;
mod partners;
mod people;
mod revocation;
mod seal;
mod traces;

pub use admins::{AdminStore, AdminStoreError, ApiKeyStore, Rotation};
pub use config::{ApplyError, Changed, ConfigStore, KeyOpener};
pub use login::{
    Command, GuardFailed, LinkedPerson, LoginStore, NewLink, NewProof, NewSession, NewTransaction, StoredSession, Unit,
    UnitError,
};
pub use logouts::{LogoutOutbox, LogoutStore, NewLogout, StoredLogout, StoredNotice};
pub use partners::{
    DocumentStanding, DocumentStore, HeldDocument, Look, NewDocument, NewSighting, Rollover, RolloverPhase,
    RolloverStore, StoredDocument, StoredSighting,
};
pub use people::{
    Consent, KeptTokens, PeopleStore, StoredIdentity, StoredProof, Tombstone, TombstoneReason, Turn, UpstreamTokenStore,
};
pub use revocation::{EpochStore, Signals, Versions};
pub use seal::{SealError, Sealer};
pub use traces::{RecordedTrace, TRACE_KINDS, TraceFilter, TraceStore, TraceSummary};
