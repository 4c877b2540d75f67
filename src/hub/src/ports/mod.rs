//! What the hub needs of the outside, in small slices, each owned by the use
//! case that needs it.

mod admins;
mod app_passwords;
mod config;
mod factors;
mod failures;
mod hashing;
mod login;
mod logouts;
mod partners;
mod people;
mod profiles;
mod provisioned;
mod pushed;
mod revocation;
mod seal;
mod shapes;
mod signals;
mod sync;
mod traces;

pub use admins::{AdminStore, AdminStoreError, ApiKeyStore, Rotation};
pub use app_passwords::{AppPasswordStore, NewAppPassword, StoredAppPassword};
pub use config::{ApplyError, Changed, ConfigStore, KeyOpener};
pub use factors::{FactorKind, FactorStore, FactorUse, NewFactor, StoredFactor};
pub use failures::{DeviceStore, FailureCount, FailureStore, KnownDevice};
pub use hashing::{Expected, FactorCrypto, NewPasskeyAnswer, Passkey, PasskeyAnswer, PasswordHasher};
pub use login::{
    Adopted, Command, GuardFailed, IdentityNews, LinkedPerson, LoginStore, NewLink, NewProof, NewSession,
    NewTransaction, ShutOut, StoredSession, Unit, UnitError,
};
pub use logouts::{LogoutOutbox, LogoutStore, NewLogout, StoredLogout, StoredNotice};
pub use partners::{
    DocumentStanding, DocumentStore, HeldDocument, Look, NewDocument, NewSighting, Rollover, RolloverPhase,
    RolloverStore, StoredDocument, StoredSighting,
};
pub use people::{
    Consent, KeptTokens, PeopleStore, PersonStanding, StoredIdentity, StoredProof, Tombstone, TombstoneReason, Turn,
    UpstreamTokenStore,
};
pub use profiles::{
    ChangedPerson, KeptOut, KnownSubject, LastSaid, NewProfile, PosixOwner, Profile, ProfileBy, ProfileNews,
    ProfileSource, ProfileStore, ProfiledPerson, StoredGroup, StoredProfile, Sweep, SweepCount, Unseen,
};
pub use provisioned::{
    ProvisionedCount, ProvisionedKind, ProvisionedLink, ProvisionedStore, ProvisioningReport, ProvisioningState, Which,
};
pub use pushed::{
    NewRecord, PushError, PushGuard, PushUnit, Pushed, PushedStore, PushedWork, RecordHash, RecordWrite, Seen,
    StoredRecord,
};
pub use revocation::{EpochStore, Signals, Versions};
pub use seal::{SealError, Sealer};
pub use shapes::{SeenShape, ShapeStore, StoredShape};
pub use signals::{NewSignal, SignalOutbox, TakenReceiver};
pub use sync::{SyncState, SyncStore};
pub use traces::{RecordedTrace, TRACE_KINDS, TraceFilter, TraceStore, TraceSummary};
