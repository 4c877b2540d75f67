//! The settings of an LDAP connection: read strictly, every complaint at once.

mod fields;
mod groups;
mod people;
mod servers;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use fedbridge_contract::directory::SyncSchedule;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::password::{Lockout, NameIs};
use fedbridge_contract::reader::Reader;
use fedbridge_contract::text::expected;
use fedbridge_ldap_core::{Dn, FilterTemplate, Scope};
use serde_json::{Map, Value};

use crate::dn_template::DnTemplate;
use crate::flavors::{AutomaticGroups, FLAVORS, Flavor, SyncMethod};
use crate::wire::{Account, Encryption, Pool, Timeouts, TlsSettings, Where};

pub use fields::FIELDS;
use values::{choice, decimal, within};

/// The secrets of a connection.
pub const BIND_PASSWORD: &str = "bind_password";
pub const CLIENT_KEY: &str = "client_key";

/// The longest message that is read where the settings say nothing, and the bounds of that setting.
const MAX_PDU: u64 = 10 * 1024 * 1024;
const LEAST_PDU: u64 = 64 * 1024;
const MOST_PDU: u64 = 256 * 1024 * 1024;

/// What a connection was told to do.
pub struct Settings {
    pub flavor: &'static Flavor,
    pub users: Users,
    /// `None`: only what the person's entry says itself.
    pub groups: Option<Groups>,
    /// How old what is known of somebody's account may be when only the password is checked.
    pub state_age: Duration,
    /// How often a session's person is looked at again; `None`: never.
    pub revalidate: Option<Duration>,
    pub when_silent: WhenSilent,
    pub password_change: bool,
    /// Where the directory does not say it itself.
    pub lockout: Option<Lockout>,
    pub sync: Option<Sync>,
}

/// How the servers are reached, and as whom.
pub struct Way {
    pub servers: Where,
    pub encryption: Encryption,
    pub tls: TlsSettings,
    pub account: Account,
    pub timeouts: Timeouts,
    pub pool: Pool,
    pub max_pdu: usize,
    pub referrals: Vec<String>,
}

/// Who can log in, and how they are found.
#[derive(Debug)]
pub struct Users {
    /// As it was written, and as it is compared.
    pub base: String,
    pub base_dn: Dn,
    pub scope: Scope,
    pub filter: FilterTemplate,
    pub bind: BindStyle,
    pub domain: Option<String>,
    /// The first that an entry has is its key.
    pub keys: Vec<String>,
    /// Asked for besides the usual ones. Empty: all are asked for.
    pub attributes: Vec<String>,
    pub name_is: NameIs,
}

/// How a typed name is understood. Whichever it is, the bind itself names the entry, so that the password and what is
/// read belong to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindStyle {
    /// A filter finds the entry.
    Search,
    /// The DN follows from the name.
    Template(DnTemplate),
    /// `user@domain`.
    Principal,
    /// `DOMAIN\user`.
    DownLevel,
}

/// How groups are found.
#[derive(Debug)]
pub struct Groups {
    pub base: String,
    pub base_dn: Dn,
    pub how: How,
    /// Groups of groups count.
    pub nested: bool,
    /// Attributes of a group that name its members.
    pub members: Vec<Member>,
    pub shown: ShownAs,
    /// Levels of groups in groups, and groups of one person, at most.
    pub depth: usize,
    pub most: usize,
    /// How long finding them may take.
    pub budget: Duration,
    pub on_failure: OnFailure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The attributes of the person's entry, and groups that name the person.
    Automatic,
    MemberOf,
    /// LDAP_MATCHING_RULE_TRANSITIVE_EVAL (MS-ADTS section 3.1.1.3.4.4.3).
    MatchingRule,
    /// `tokenGroups` (MS-ADTS section 3.1.1.4.5.19).
    TokenGroups,
    Search,
}

impl How {
    pub fn name(self) -> &'static str {
        match self {
            Self::Automatic => "auto",
            Self::MemberOf => "member_of",
            Self::MatchingRule => "matching_rule",
            Self::TokenGroups => "token_groups",
            Self::Search => "search",
        }
    }
}

/// How a group names a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// groupOfNames: the DN.
    Dn,
    /// groupOfUniqueNames: the DN, and sometimes a bit string behind it (RFC 4517 section 3.3.21).
    UniqueDn,
    /// posixGroup: the value of `uid`.
    Uid,
    /// groupOfURLs: a search that finds the members.
    Url,
}

impl Member {
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Dn => "member",
            Self::UniqueDn => "uniqueMember",
            Self::Uid => "memberUid",
            Self::Url => "memberURL",
        }
    }
}

/// What `groups` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownAs {
    Name,
    Dn,
}

/// What happens where the groups can't be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    Deny,
    /// The login goes on without any group.
    Without,
}

/// What happens at a re-validation where no server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenSilent {
    Allow,
    Deny,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sync {
    pub schedule: SyncSchedule,
    pub method: SyncMethod,
}

impl Settings {
    /// Reads the settings of one connection.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn parse(value: &Value, secrets: &BTreeMap<String, Vec<u8>>) -> Result<(Self, Way), Vec<Complaint>> {
        let Some(object) = value.as_object() else { return Err(vec![Complaint::new("", expected("a map", value))]) };
        let mut whole = Reader::new();
        let reader = &mut whole;
        let known: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        reader.only_keys(object, "", &known);
        let flavor = flavor(reader, object);
        let way = way(reader, object, secrets, flavor);
        let users = people::users(reader, object, flavor);
        let groups = groups::groups(reader, object, flavor);
        let (state_age, revalidate) = freshness(reader, object);
        let when_silent = [("allow", WhenSilent::Allow), ("deny", WhenSilent::Deny)];
        let when_silent = choice(reader, object, "revalidate_when_silent", &when_silent, WhenSilent::Allow);
        let password_change = reader.boolean(object, "", "password_change").unwrap_or(false);
        let clear = way.as_ref().is_some_and(|way| way.encryption == Encryption::Clear);
        if password_change && clear && flavor.is_active_directory() {
            reader.complain("password_change", "Active Directory takes new passwords over TLS alone");
        }
        let lockout = lockout(reader, object);
        let sync = sync(reader, object, flavor);
        let parts = whole.finish((way, users))?;
        let (Some(way), Some(users)) = parts else {
            return Err(vec![Complaint::new("", "the settings are incomplete")]);
        };
        Ok((Self { flavor, users, groups, state_age, revalidate, when_silent, password_change, lockout, sync }, way))
    }
}

fn flavor(reader: &mut Reader, object: &Map<String, Value>) -> &'static Flavor {
    let choices: Vec<_> = FLAVORS.iter().map(|flavor| (flavor.name, flavor)).collect();
    reader.choice(object, "", "flavor", &choices).unwrap_or(&FLAVORS[0])
}

fn way(
    reader: &mut Reader,
    object: &Map<String, Value>,
    secrets: &BTreeMap<String, Vec<u8>>,
    flavor: &Flavor,
) -> Option<Way> {
    let (servers, encryption) = servers::servers(reader, object, flavor);
    let tls = servers::tls(reader, object, secrets, encryption);
    let account = servers::account(reader, object, secrets, flavor, &tls);
    let timeouts = servers::timeouts(reader, object);
    let pool = servers::pool(reader, object);
    let referrals = servers::referrals(reader, object, encryption);
    let max_pdu = decimal(reader, object, "", "max_pdu", LEAST_PDU..=MOST_PDU).unwrap_or(MAX_PDU);
    let max_pdu = usize::try_from(max_pdu).unwrap_or(usize::MAX);
    Some(Way { servers: servers?, encryption, tls, account, timeouts, pool, max_pdu, referrals })
}

fn freshness(reader: &mut Reader, object: &Map<String, Value>) -> (Duration, Option<Duration>) {
    let seconds = Duration::from_secs;
    let state_age = within(reader, object, "", "state_age", seconds(0)..=seconds(3_600));
    let revalidate = within(reader, object, "", "revalidate", seconds(0)..=seconds(86_400));
    (state_age.unwrap_or(seconds(60)), revalidate)
}

fn lockout(reader: &mut Reader, object: &Map<String, Value>) -> Option<Lockout> {
    const KEY: &str = "lockout";
    let inner = reader.map(object, "", KEY)?;
    reader.only_keys(inner, KEY, &["after", "forgets"]);
    let after = decimal(reader, inner, KEY, "after", 1..=1_000);
    if inner.get("after").is_none_or(Value::is_null) {
        reader.complain("lockout.after", "is missing; it is the number of wrong passwords that lock an account");
    }
    let (least, most) = (Duration::from_secs(1), Duration::from_secs(30 * 86_400));
    let forgets = within(reader, inner, KEY, "forgets", least..=most).unwrap_or(Duration::from_secs(1_800));
    Some(Lockout { after: after.and_then(|after| u32::try_from(after).ok())?, forgets })
}

fn sync(reader: &mut Reader, object: &Map<String, Value>, flavor: &Flavor) -> Option<Sync> {
    const KEY: &str = "sync";
    let inner = reader.map(object, "", KEY)?;
    reader.only_keys(inner, KEY, &["full", "delta", "method", "most_missing"]);
    let seconds = Duration::from_secs;
    let full = within(reader, inner, KEY, "full", seconds(60)..=seconds(30 * 86_400)).unwrap_or(seconds(86_400));
    let delta = within(reader, inner, KEY, "delta", seconds(5)..=seconds(86_400));
    let most_missing = decimal(reader, inner, KEY, "most_missing", 0..=100).unwrap_or(10);
    let methods = [
        ("auto", flavor.sync),
        ("usn", SyncMethod::Usn),
        ("dirsync", SyncMethod::DirSync),
        ("syncrepl", SyncMethod::SyncRepl),
        ("modify_timestamp", SyncMethod::ModifyTimestamp),
        ("keys", SyncMethod::Keys),
    ];
    let method = reader.choice(inner, KEY, "method", &methods).unwrap_or(flavor.sync);
    let of_active_directory = matches!(method, SyncMethod::Usn | SyncMethod::DirSync);
    if of_active_directory && !flavor.is_active_directory() {
        reader.complain("sync.method", format!("only Active Directory has it, and the flavor is {}", flavor.name));
    }
    if delta.is_some_and(|delta| delta > full) {
        reader.complain("sync.delta", "is longer than sync.full, so it would never happen");
    }
    let most_missing = u8::try_from(most_missing).unwrap_or(100);
    Some(Sync { schedule: SyncSchedule { full, delta, most_missing }, method })
}

/// How groups are found where the connection does not say.
fn automatic(flavor: &Flavor) -> How {
    match flavor.groups {
        AutomaticGroups::Token => How::TokenGroups,
        AutomaticGroups::Membership => How::Automatic,
    }
}
