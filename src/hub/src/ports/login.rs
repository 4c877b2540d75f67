//! What a login reads and writes. Every change is a [`Unit`]: a list of guarded
//! commands that happens whole, durably, or not at all.

use super::{
    Consent, KeptTokens, NewAppPassword, NewFactor, NewLogout, NewProfile, NewSignal, PosixOwner, TombstoneReason,
};
use async_trait::async_trait;
use fedbridge_contract::downstream::NewNameId;
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::grant::NewGrant;
use fedbridge_contract::ids::{
    AppId, AppPasswordId, ConnectionId, FactorId, GroupId, LinkProofId, PersonId, RecordId, SessionId, TenantId,
    TransactionId,
};
use fedbridge_contract::logout::Participant;
use fedbridge_contract::time::Timestamp;

#[async_trait]
pub trait LoginStore: Send + Sync {
    /// The sealed record of an unexpired transaction, where its handle has this keyed hash.
    async fn transaction(
        &self,
        tenant: TenantId,
        id: TransactionId,
        handle_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreError>;

    /// The person behind an upstream subject of one connection.
    async fn linked_person(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        subject_key: &str,
    ) -> Result<Option<LinkedPerson>, StoreError>;

    /// A live session, where its cookie has this keyed hash.
    async fn session(
        &self,
        tenant: TenantId,
        id: SessionId,
        cookie_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<StoredSession>, StoreError>;

    /// Carries a unit out. When this returns `Ok`, it is durable.
    async fn commit(&self, tenant: TenantId, unit: Unit) -> Result<(), UnitError>;
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unit {
    pub commands: Vec<Command>,
    pub now: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    OpenTransaction(NewTransaction),
    /// Guard: it is still there. A transaction finishes once.
    FinishTransaction(TransactionId),
    /// Guard: the key was never seen, or its time is over.
    Once {
        purpose: String,
        key: String,
        expires: Timestamp,
    },
    /// Guard: no such link exists yet, and no administrator has blocked the subject.
    CreatePerson(NewLink),
    StartSession(NewSession),
    /// The person authenticated again: the session keeps its id, and takes a new cookie, new limits
    /// and the new identity. Guard: it has not ended.
    RenewSession(NewSession),
    /// A session is seen again by another app. Guard: it has not ended.
    TouchSession {
        session: SessionId,
        idle_expires: Timestamp,
    },
    /// Ends a session and revokes its grants, except those with `offline_access`.
    EndSession(SessionId),
    /// Stores a logout beside the end of its sessions. [`LogoutStore::spread`](super::LogoutStore) comes next.
    OpenLogout(NewLogout),
    /// An app takes part in a session, or does so again.
    Join {
        session: SessionId,
        expires: Timestamp,
        participant: Participant,
    },
    /// The same person came into the session by one more upstream, or does so again. What the session's own row
    /// holds is the newest; the ones before stand beside it, to be found and told at the end.
    AlsoUpstream {
        session: SessionId,
        connection: ConnectionId,
        key: Option<String>,
        index: Option<String>,
        expires: Timestamp,
    },
    /// Guard: the person has no identifier there yet.
    KeepNameId(NewNameId),
    /// The same for a person who is there.
    LinkIdentity(NewLink),
    /// Guard: the identity is this person's, and no administrator has blocked the subject. It stays this person's
    /// until the unit is stored: an unlink comes before, and this fails, or behind it, and finds the session that
    /// the unit makes.
    HoldIdentity {
        person: PersonId,
        connection: ConnectionId,
        subject_key: String,
        news: IdentityNews,
    },
    /// The link goes and leaves a tombstone; every link proof of the person dies. Guard: it is there, and
    /// the person has another one.
    UnlinkIdentity {
        person: PersonId,
        connection: ConnectionId,
        subject_key: String,
        reason: TombstoneReason,
    },
    OpenLinkProof(NewProof),
    /// What the proof is for, once the adapter has proved it. Guard: it is there and bound to no subject yet.
    BindLinkProof {
        proof: LinkProofId,
        subject: [u8; 32],
        sealed: Vec<u8>,
    },
    /// Guard: it is there, of this person and session, the session lives, and it is bound to this very subject.
    /// It is gone then. Where the unit ends the session too, this comes before.
    UseLinkProof {
        proof: LinkProofId,
        person: PersonId,
        session: SessionId,
        subject: [u8; 32],
    },
    KeepConsent {
        person: PersonId,
        consent: Consent,
    },
    ForgetConsent {
        person: PersonId,
        app: AppId,
    },
    /// For what is given on the strength of a consent that was kept before. Guard: it is as it was then, by its time.
    /// It stays so until the unit is stored: who forgets it comes before, and this fails, or behind it, and finds
    /// the grant that the unit makes.
    HoldConsent {
        person: PersonId,
        app: AppId,
        at: Timestamp,
    },
    KeepUpstreamTokens {
        session: SessionId,
        kept: Box<KeptTokens>,
    },
    InsertGrant(Box<NewGrant>),
    /// What the upstream says of somebody, in the place of what it said before. Where that is the same nothing
    /// changes, but who saw it last.
    KeepProfile(Box<NewProfile>),
    /// A sync has seen somebody of whom it has nothing new to say.
    SeeProfile {
        connection: ConnectionId,
        subject_key: String,
        sweep: i64,
    },
    /// A group of the tenant's directory, where there is none of this name in any case.
    EnsureGroup {
        id: GroupId,
        name: String,
    },
    /// The next number of a range that nobody ever had, for a person or a group that has none. Nothing happens where
    /// the range is used up.
    GiveNumber {
        owner: PosixOwner,
        /// Both ends are in it.
        range: (u32, u32),
    },
    KeepFactor {
        person: PersonId,
        factor: Box<NewFactor>,
    },
    /// It may be gone already.
    DropFactor {
        person: PersonId,
        id: FactorId,
    },
    KeepAppPassword(Box<NewAppPassword>),
    /// It may be gone already. Whoever remembers what it was good for hears of it as of a change of the person.
    DropAppPassword {
        person: PersonId,
        id: AppPasswordId,
    },
    /// The upstream has another password of the person now. Whoever remembers the one before hears of it as of a change
    /// of the person.
    PasswordChanged {
        person: PersonId,
    },
    ShutPerson(ShutOut),
    /// Somebody is told of what the unit does. Nothing happens where the receiver is gone or does not want to hear of it.
    Signal(Box<NewSignal>),
    /// Guards: the record is there and switched on, it is `from`'s, and nobody has ever come to them by another way.
    AdoptRecord(Adopted),
    /// Guard: the record is there, and of somebody who is switched on.
    HoldActive(ConnectionId, RecordId),
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewTransaction {
    pub id: TransactionId,
    pub handle_hash: [u8; 32],
    pub expires: Timestamp,
    /// Sealed by the hub: the request, the adapter's state, the steps so far.
    pub sealed: Vec<u8>,
}

/// A connection keeps a person out, whatever they come by; or does not any more, and then they may come in again unless
/// another one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutOut {
    pub person: PersonId,
    pub connection: ConnectionId,
    pub out: bool,
    /// When, where messages may overtake each other: what it has said later counts. `None`: it says so now, and clocks of
    /// nodes differ.
    pub said: Option<Timestamp>,
}

/// A login has shown whose a pushed record is: its identity and profile become this person's, in the place of those of
/// records that are gone, and the person that it was made with goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adopted {
    pub connection: ConnectionId,
    pub record: RecordId,
    /// `None`: an administrator has deleted them.
    pub from: Option<PersonId>,
    pub person: PersonId,
}

/// A person at first sight, with the upstream identity that brought them.
#[derive(Debug, Clone, PartialEq)]
pub struct NewLink {
    pub person: PersonId,
    pub connection: ConnectionId,
    pub subject_key: String,
    pub display: String,
    /// Keyed hash of the address, where it counts as verified at this connection.
    pub email: Option<[u8; 32]>,
    /// See [`UpstreamSubject::scope`](fedbridge_contract::identity::UpstreamSubject::scope); noted once for a connection.
    pub scope: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewProof {
    pub id: LinkProofId,
    pub secret: [u8; 32],
    pub person: PersonId,
    pub connection: ConnectionId,
    pub session: SessionId,
    pub expires: Timestamp,
    pub sealed: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedPerson {
    pub person: PersonId,
    /// By an administrator.
    pub disabled: bool,
    /// A directory that pushes them keeps them out (see [`Command::ShutPerson`]).
    pub shut: bool,
    /// The last kill of the person.
    pub epoch: Epoch,
    /// Keyed hash of the address that this identity brought, where one was verified.
    pub email: Option<[u8; 32]>,
    /// How people read it.
    pub display: String,
}

impl LinkedPerson {
    /// Whose session it is. `disabled`: whoever has said so.
    pub const fn of_session(person: PersonId, disabled: bool, epoch: Epoch) -> Self {
        Self { person, disabled, shut: false, epoch, email: None, display: String::new() }
    }
}

/// What an identity says now, and did not say before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityNews {
    /// Keyed hash of a verified address.
    pub email: Option<[u8; 32]>,
    /// How people read it: the entry of a directory was renamed.
    pub display: Option<String>,
}

impl IdentityNews {
    pub fn is_none(&self) -> bool {
        self.email.is_none() && self.display.is_none()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewSession {
    pub id: SessionId,
    pub cookie_hash: [u8; 32],
    pub person: PersonId,
    pub connection: ConnectionId,
    pub idle_expires: Timestamp,
    pub absolute_expires: Timestamp,
    /// The upstream's logout key and session index, to search by; `None` where it can't log out.
    pub upstream: Option<(String, Option<String>)>,
    /// Sealed by the hub: the identity, for apps that join the session later.
    pub sealed: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredSession {
    pub id: SessionId,
    pub person: PersonId,
    pub person_disabled: bool,
    /// The last kill of the person.
    pub person_epoch: Epoch,
    pub connection: ConnectionId,
    pub idle_expires: Timestamp,
    pub absolute_expires: Timestamp,
    pub sealed: Vec<u8>,
}

/// Why nothing of a unit happened. The texts are for the trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardFailed {
    #[error("this login was finished before, or took too long")]
    TransactionGone,
    #[error("it was used before ({purpose})")]
    SeenBefore { purpose: String },
    #[error("this subject was linked by another login just now, or is blocked")]
    LinkExists,
    #[error("this login was disconnected from its person just now, or is blocked")]
    LinkGone,
    #[error("this person was given a name by another login just now")]
    NameIdExists,
    /// Used, dead, of somebody else, or bound to another subject.
    #[error("the permission to connect this login was used, or is over")]
    ProofGone,
    #[error("it is the person's last way in, or gone already")]
    LastLink,
    #[error("what the person has allowed this app was changed just now")]
    ConsentChanged,
    #[error("the session has ended")]
    SessionEnded,
    #[error("the pushed record of this person was changed just now")]
    RecordTaken,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum UnitError {
    #[error("nothing was changed: {0}")]
    Guard(GuardFailed),
    #[error(transparent)]
    Store(#[from] StoreError),
}
