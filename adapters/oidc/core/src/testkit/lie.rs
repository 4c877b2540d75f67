//! What a lie is, and where it can be told.

use serde_json::Value;

use super::http::{HttpAnswer, Manner};
use super::jwt::{JwtPlan, Scene};

/// One lie of an otherwise honest provider, or an oddity that has to be taken.
pub struct Lie {
    pub name: &'static str,
    /// The number of the requirement on relying parties that it tries.
    pub item: u8,
    pub when: When,
    pub changes: &'static [Change],
    /// The name of the check that must fail; of [`Verdict::Accepted`] nothing.
    pub check: &'static str,
    pub verdict: Verdict,
}

/// Where in the conversation the provider departs from the truth.
pub enum Change {
    Metadata(fn(&mut DocumentPlan)),
    Keys(fn(&mut DocumentPlan)),
    /// The parameters that the browser brings back.
    Callback(fn(&mut ParameterPlan)),
    Token(fn(&mut DocumentPlan)),
    IdToken(fn(&mut JwtPlan)),
    Userinfo(fn(&mut DocumentPlan)),
    SignedUserinfo(fn(&mut JwtPlan)),
    /// The answer to a refresh, and the ID token in it.
    Refreshed(fn(&mut DocumentPlan)),
    Renewed(fn(&mut JwtPlan)),
    LogoutToken(fn(&mut JwtPlan)),
    FrontChannel(fn(&mut ParameterPlan)),
    LoggedOut(fn(&mut ParameterPlan)),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Refused,
    /// It is no lie: the login succeeds.
    Accepted,
    /// The connection can't be used with this document.
    Down,
}

/// What the connection and the login must be for the lie to count.
#[derive(Clone, Copy)]
pub struct When {
    /// Settings of the connection besides issuer and client, as JSON.
    pub settings: &'static str,
    pub wish: Wish,
    /// What the provider is besides.
    pub traits: Option<fn(&mut super::Traits)>,
}

/// What the app wants of the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Nothing,
    /// `max_age=300`.
    Fresh,
    /// The class `gold` must be reached.
    Gold,
}

impl When {
    pub const PLAIN: Self = Self { settings: "{}", wish: Wish::Nothing, traits: None };
}

impl Lie {
    /// A lie that this check must find.
    pub const fn told(item: u8, name: &'static str, check: &'static str, changes: &'static [Change]) -> Self {
        Self { name, item, when: When::PLAIN, changes, check, verdict: Verdict::Refused }
    }

    /// Something odd that is right all the same.
    pub const fn odd(item: u8, name: &'static str, changes: &'static [Change]) -> Self {
        Self { name, item, when: When::PLAIN, changes, check: "", verdict: Verdict::Accepted }
    }

    /// A document with which the connection stays down.
    pub const fn down(item: u8, name: &'static str, check: &'static str, changes: &'static [Change]) -> Self {
        Self { name, item, when: When::PLAIN, changes, check, verdict: Verdict::Down }
    }

    #[must_use]
    pub const fn settings(mut self, settings: &'static str) -> Self {
        self.when.settings = settings;
        self
    }

    #[must_use]
    pub const fn wish(mut self, wish: Wish) -> Self {
        self.when.wish = wish;
        self
    }

    #[must_use]
    pub const fn provider(mut self, traits: fn(&mut super::Traits)) -> Self {
        self.when.traits = Some(traits);
        self
    }
}

/// A right JSON document with its HTTP, to be made wrong.
pub struct DocumentPlan {
    pub status: u16,
    pub content_type: Option<String>,
    pub headers: Vec<(String, String)>,
    pub json: Value,
    /// The last word over the octets, for what no JSON library writes.
    pub octets: Option<fn(String) -> Vec<u8>>,
    pub manner: Manner,
    pub scene: Scene,
}

impl DocumentPlan {
    pub fn new(json: Value, scene: Scene) -> Self {
        Self {
            status: 200,
            content_type: Some("application/json".into()),
            headers: vec![("cache-control".into(), "no-store".into())],
            json,
            octets: None,
            manner: Manner::Whole,
            scene,
        }
    }

    pub fn cut(&mut self, member: &str) {
        if let Some(object) = self.json.as_object_mut() {
            object.shift_remove(member);
        }
    }

    pub fn answer(self) -> HttpAnswer {
        let text = self.json.to_string();
        let body = match self.octets {
            Some(change) => change(text),
            None => text.into_bytes(),
        };
        let Self { status, content_type, headers, manner, .. } = self;
        HttpAnswer { status, content_type, headers, body, manner }
    }
}

/// Right parameters of an address, to be made wrong.
pub struct ParameterPlan {
    pub parameters: Vec<(String, String)>,
    pub scene: Scene,
}

impl ParameterPlan {
    pub fn cut(&mut self, name: &str) {
        self.parameters.retain(|(key, _)| key != name);
    }

    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.cut(name);
        self.add(name, value);
    }

    pub fn add(&mut self, name: &str, value: impl Into<String>) {
        self.parameters.push((name.to_owned(), value.into()));
    }
}
