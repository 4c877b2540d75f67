//! The scripted upstream, asked with passwords. It is a directory in memory: it counts wrong passwords, and locks.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::identity::{
    Attributes, AuthenticatedIdentity, AuthnFacts, Onward, UpstreamSession, UpstreamSubject, UpstreamTokens,
};
use fedbridge_contract::password::{
    Attempt, Change, Changed, Lockout, NameIs, Password, PasswordCheck, PasswordOutcome, PasswordRefusal, Prove,
    Proved, Why,
};
use fedbridge_contract::proof::Minter;
use fedbridge_contract::trace::TraceLog;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct FakeAccount {
    password: String,
    says: Option<FakeSays>,
    #[serde(default)]
    attributes: BTreeMap<String, Vec<String>>,
}

/// What a right password leads to, where it is not in.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum FakeSays {
    Disabled,
    Expired,
    MustChange,
    /// There is no answer, whatever the password.
    Silent,
}

/// After how many wrong passwords an account is locked, and whether the adapter knows.
#[derive(Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub struct FakeLock {
    after: u32,
    #[serde(default)]
    known: bool,
}

pub struct FakePasswords {
    lock: Option<FakeLock>,
    accounts: Mutex<HashMap<String, Account>>,
}

struct Account {
    script: FakeAccount,
    wrong: u32,
}

/// How long it remembers wrong passwords, as it says.
const FORGETS: Duration = Duration::from_secs(30 * 60);

impl FakePasswords {
    pub fn new(accounts: &BTreeMap<String, FakeAccount>, lock: Option<FakeLock>) -> Self {
        let account =
            |(name, script): (&String, &FakeAccount)| (name.clone(), Account { script: script.clone(), wrong: 0 });
        Self { lock, accounts: Mutex::new(accounts.iter().map(account).collect()) }
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<String, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account, where the password is right.
    fn checked(&self, name: &str, password: &Password) -> Result<FakeAccount, Checked> {
        let mut accounts = self.accounts();
        let Some(account) = accounts.get_mut(name) else { return Err(Checked::No(Why::Unknown)) };
        if account.script.says == Some(FakeSays::Silent) {
            return Err(Checked::Silent);
        }
        if self.lock.is_some_and(|lock| account.wrong >= lock.after) {
            return Err(Checked::No(Why::Locked));
        }
        if account.script.password.as_bytes() != password.octets() {
            account.wrong += 1;
            return Err(Checked::No(Why::Wrong));
        }
        account.wrong = 0;
        match account.script.says {
            Some(FakeSays::Disabled) => Err(Checked::No(Why::Disabled)),
            Some(FakeSays::Expired) => Err(Checked::No(Why::Expired)),
            Some(FakeSays::MustChange) => Err(Checked::MustChange),
            Some(FakeSays::Silent) | None => Ok(account.script.clone()),
        }
    }
}

enum Checked {
    No(Why),
    MustChange,
    Silent,
}

fn no(reason: Why) -> PasswordRefusal {
    PasswordRefusal { reason, upstream_code: format!("fake {reason:?}") }
}

fn silent() -> ProtocolError {
    ProtocolError::new("unavailable", "Please wait.", "the fake is silent")
}

#[async_trait]
impl PasswordCheck for FakePasswords {
    fn name_is(&self) -> NameIs {
        NameIs::UserName
    }

    fn lockout(&self) -> Option<Lockout> {
        self.lock.filter(|lock| lock.known).map(|lock| Lockout { after: lock.after, forgets: FORGETS })
    }

    async fn verify(&self, attempt: Attempt<'_>, minter: Minter, trace: &mut TraceLog) -> PasswordOutcome {
        let name = attempt.name.to_lowercase();
        trace.sent(attempt.now, "fake bind", vec![("name", name.clone())]);
        let account = match self.checked(&name, attempt.password) {
            Ok(account) => account,
            Err(Checked::No(why)) => return PasswordOutcome::Rejected(no(why)),
            Err(Checked::MustChange) => return PasswordOutcome::MustChange { key: name.clone(), place: name },
            Err(Checked::Silent) => return PasswordOutcome::Unavailable(silent()),
        };
        let mut attributes = Attributes::new();
        for (attribute, values) in &account.attributes {
            values.iter().for_each(|value| attributes.push(attribute, value));
        }
        PasswordOutcome::Accepted {
            identity: Box::new(AuthenticatedIdentity {
                subject: UpstreamSubject { key: name.clone(), display: name.clone(), stable: true, scope: None },
                attributes,
                authn: AuthnFacts {
                    auth_time: attempt.now,
                    auth_time_said: true,
                    acr: None,
                    amr: vec!["pwd".into()],
                    authority: None,
                    authorities: Vec::new(),
                },
                session: UpstreamSession::default(),
                onward: Onward::Unrestricted,
                once: Vec::new(),
                tokens: Some(UpstreamTokens {
                    refresh_token: None,
                    access_token: None,
                    access_expires: None,
                    memory: json!({ "place": format!("uid={name}") }),
                }),
                // The last step, when every check has passed.
                proof: minter.mint(),
            }),
            warning: None,
        }
    }

    async fn prove(&self, asked: Prove<'_>, _: &mut TraceLog) -> Proved {
        match self.checked(asked.known.key, asked.password) {
            Ok(_) => Proved::Yes { moved: None, warning: None },
            Err(Checked::No(why)) => Proved::No(no(why)),
            Err(Checked::MustChange) => Proved::No(no(Why::PasswordExpired)),
            Err(Checked::Silent) => Proved::Unavailable(silent()),
        }
    }

    async fn change(&self, change: Change<'_>, _: &mut TraceLog) -> Changed {
        let refused = match self.checked(change.known.key, change.old) {
            Ok(_) | Err(Checked::MustChange) => None,
            Err(Checked::No(why)) => Some(Changed::Refused(no(why))),
            Err(Checked::Silent) => Some(Changed::Unavailable(silent())),
        };
        let (None, Some(new)) = (&refused, change.new.text().filter(|new| new.len() >= 8)) else {
            return refused.unwrap_or_else(|| Changed::Policy("it needs eight characters at least".into()));
        };
        if let Some(account) = self.accounts().get_mut(change.known.key) {
            account.script.password = new.to_owned();
            account.script.says = None;
        }
        Changed::Yes
    }
}
