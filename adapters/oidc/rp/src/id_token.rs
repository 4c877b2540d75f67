//! ID tokens (OpenID Connect Core 3.1.3.7): what each one must say, and what one of a login and one of a refresh
//! must say besides.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use openssl::hash::{MessageDigest, hash};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::checks::{Checked, refuse, require};
use crate::claims;
use crate::issuer::IssuerRule;
use crate::jwks::Asker;
use crate::profiles::IssuerStyle;
use crate::settings::{Settings, TokenAlgorithm};
use crate::state::{NonceHash, RequestState};
use crate::token::{Signed, TokenKind, Validator};

/// The oldest `iat` that is taken, in seconds.
const MAX_AGE: i64 = 600;
/// The longest `sub`, in octets (OpenID Connect Core 2).
const MAX_SUB: usize = 255;

/// An ID token of this connection's provider for this client, in its time, with a `sub`. Only
/// [`Validator::id_token`] makes one.
pub struct VerifiedIdToken {
    claims: Map<String, Value>,
    algorithm: TokenAlgorithm,
    subject: String,
    issued: i64,
    auth_time: Option<i64>,
}

/// An ID token that also belongs to this very login.
pub struct LoginToken {
    pub claims: Map<String, Value>,
    pub subject: String,
    /// When the person authenticated, as the provider says, else when the token was issued.
    pub auth_time: Timestamp,
    /// Whether the provider says so.
    pub auth_time_said: bool,
    pub to_repeat: PreviousToken,
}

/// Of the last ID token, what a renewed one must repeat (OpenID Connect Core 12.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviousToken {
    pub iss: String,
    pub sub: String,
    pub iat: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    pub nonce: NonceHash,
}

impl Validator<'_> {
    /// Checks an ID token that the provider gave us itself.
    pub async fn id_token(&self, token: &str, kind: TokenKind, trace: &mut TraceLog) -> Checked<VerifiedIdToken> {
        let Signed { mut claims, algorithm } = self.signed(token, kind, Asker::Provider, trace).await?;
        self.times(kind, &claims, Some(MAX_AGE), trace)?;
        let subject = subject(kind, &claims, trace)?.to_owned();
        hosted_domain(&self.party.settings, kind, &claims, trace)?;
        let auth_time = auth_time(self, kind, &claims, trace)?;
        let issued = claims::seconds(&claims, "iat").ok().flatten().unwrap_or_default();
        if let IssuerRule::Google(issuer) = self.issuer() {
            // One issuer with two spellings; from here on it has one.
            claims.insert("iss".into(), issuer.into());
        }
        Ok(VerifiedIdToken { claims, algorithm, subject, issued, auth_time })
    }
}

/// What came beside a login's ID token.
pub struct CameBeside<'a> {
    pub code: &'a str,
    pub access_token: Option<&'a str>,
}

impl VerifiedIdToken {
    /// Checks what ties the token to one login: `nonce`, `auth_time`, `acr`, `at_hash` and `c_hash`.
    pub fn of_login(
        self,
        asked: &RequestState,
        beside: &CameBeside<'_>,
        validator: &Validator<'_>,
        trace: &mut TraceLog,
    ) -> Checked<LoginToken> {
        let kind = TokenKind::Id;
        nonce(&self.claims, &asked.nonce, trace)?;
        self.freshness(asked, validator, trace)?;
        self.context(asked, trace)?;
        self.half_hash("at_hash", beside.access_token, trace)?;
        self.half_hash("c_hash", Some(beside.code), trace)?;
        let iss = claims::text(&self.claims, "iss").ok().flatten().unwrap_or_default().to_owned();
        let (sub, iat, auth_time) = (self.subject.clone(), self.issued, self.auth_time);
        let to_repeat = PreviousToken { iss, sub, iat, auth_time, nonce: asked.nonce.clone() };
        if let Err(why) = claims::text(&self.claims, "sid") {
            return refuse(trace, &kind.name("sid"), "Back-Channel Logout 1.0, 2.1", "a text", why.to_string());
        }
        // A clock that is ahead within the tolerance authenticates nobody in the future.
        let auth_time = Timestamp::from_seconds(self.auth_time.unwrap_or(self.issued)).min(validator.now);
        let auth_time_said = self.auth_time.is_some();
        Ok(LoginToken { claims: self.claims, subject: self.subject, auth_time, auth_time_said, to_repeat })
    }

    /// Checks what ties a renewed token to the one before: the same issuer, subject and authentication, and not
    /// older. `iat` may be the same second. Gives back what the next one must repeat.
    pub fn renewal(self, of: &PreviousToken, trace: &mut TraceLog) -> Checked<(Map<String, Value>, PreviousToken)> {
        let kind = TokenKind::Renewed;
        let source = kind.source(2);
        let iss = claims::text(&self.claims, "iss").ok().flatten().unwrap_or_default();
        require(trace, &kind.name("iss"), source, of.iss.as_str(), iss, iss == of.iss)?;
        require(trace, &kind.name("sub"), source, of.sub.as_str(), self.subject.as_str(), self.subject == of.sub)?;
        let (expected, actual) = (format!("not before {}", of.iat), self.issued.to_string());
        require(trace, &kind.name("iat"), source, expected, actual, self.issued >= of.iat)?;
        let same = self.auth_time.is_none() || of.auth_time.is_none() || self.auth_time == of.auth_time;
        let shown = |time: Option<i64>| time.map_or_else(|| "none".to_owned(), |time| time.to_string());
        let (expected, actual) = (shown(of.auth_time), shown(self.auth_time));
        require(trace, &kind.name("auth_time"), source, expected, actual, same)?;
        match claims::text(&self.claims, "nonce") {
            Ok(None) => {}
            Ok(Some(nonce)) if of.nonce.is_of(nonce) => {}
            Ok(Some(_)) => return refuse(trace, &kind.name("nonce"), source, "that of the login", "another"),
            Err(why) => return refuse(trace, &kind.name("nonce"), source, "that of the login", why.to_string()),
        }
        let auth_time = of.auth_time.or(self.auth_time);
        let next = PreviousToken { iat: self.issued, auth_time, ..of.clone() };
        Ok((self.claims, next))
    }

    /// OpenID Connect Core 3.1.3.7, 13, and what `prompt=login` was for.
    fn freshness(&self, asked: &RequestState, validator: &Validator<'_>, trace: &mut TraceLog) -> Checked<()> {
        let demanded = asked.max_age.is_some() || asked.authenticated_after.is_some();
        if !demanded {
            return Ok(());
        }
        let (now, skew) = (validator.now.seconds(), validator.skew());
        let by_age = asked.max_age.map(|age| now.saturating_sub(i64::try_from(age).unwrap_or(i64::MAX)));
        let by_prompt = asked.authenticated_after.map(Timestamp::seconds);
        let earliest = by_age.max(by_prompt).unwrap_or_default().saturating_sub(skew).max(0);
        let instant = |seconds: i64| Timestamp::from_seconds(seconds).rfc3339();
        let unsaid = || "none: a provider that is asked for max_age must say it (3.1.2.1)".to_owned();
        let actual = self.auth_time.map_or_else(unsaid, instant);
        let fits = self.auth_time.is_some_and(|at| at >= earliest);
        let expected = format!("not before {}", instant(earliest));
        require(trace, "auth_time", "OpenID Connect Core 3.1.3.7, 13", expected, actual, fits)
    }

    fn context(&self, asked: &RequestState, trace: &mut TraceLog) -> Checked<()> {
        let source = "OpenID Connect Core 3.1.3.7, 12";
        let acr = match claims::text(&self.claims, "acr") {
            Ok(acr) => acr,
            Err(why) => return refuse(trace, "acr", source, "a text", why.to_string()),
        };
        if asked.acr.is_empty() {
            return Ok(());
        }
        let fits = acr.is_some_and(|acr| asked.acr.iter().any(|wanted| wanted == acr));
        require(trace, "acr", source, format!("one of {}", asked.acr.join(", ")), acr.unwrap_or("none"), fits)
    }

    /// `at_hash` and `c_hash` bind the token to what came beside it (OpenID Connect Core 3.1.3.6, 3.3.2.11).
    fn half_hash(&self, claim: &str, of: Option<&str>, trace: &mut TraceLog) -> Checked<()> {
        let source = "OpenID Connect Core 3.1.3.8";
        let expected = if claim == "at_hash" { "that of the access token" } else { "that of the code" };
        match (claims::text(&self.claims, claim), of) {
            (Ok(None), _) => Ok(()),
            (Ok(Some(hash)), Some(value)) => {
                let fits = self.left_half(value).is_some_and(|own| own == hash);
                require(trace, claim, source, expected, if fits { expected } else { "another" }, fits)
            }
            (Ok(Some(_)), None) => refuse(trace, claim, source, "none", "one, and nothing that it could be of"),
            (Err(why), _) => refuse(trace, claim, source, expected, why.to_string()),
        }
    }

    /// The left half of the hash that the token's algorithm uses.
    fn left_half(&self, value: &str) -> Option<String> {
        let digest = match self.algorithm {
            TokenAlgorithm::Signature(SignatureAlgorithm::EdDSA) => MessageDigest::sha512(),
            _ => MessageDigest::sha256(),
        };
        let digest = hash(digest, value.as_bytes()).ok()?;
        digest.get(..digest.len() / 2).map(|half| URL_SAFE_NO_PAD.encode(half))
    }
}

/// Octets that are never folded, trimmed or normalized.
fn subject<'c>(kind: TokenKind, claims: &'c Map<String, Value>, trace: &mut TraceLog) -> Checked<&'c str> {
    let (source, expected) = ("OpenID Connect Core 2", format!("a text of 1 to {MAX_SUB} octets"));
    let name = kind.name("sub");
    match claims::text(claims, "sub") {
        Ok(Some(sub)) => {
            let fits = (1..=MAX_SUB).contains(&sub.len()) && !sub.contains('\0');
            require(trace, &name, source, expected, format!("{} octets", sub.len()), fits)?;
            Ok(sub)
        }
        Ok(None) => refuse(trace, &name, source, expected, "none"),
        Err(why) => refuse(trace, &name, source, expected, why.to_string()),
    }
}

/// The request parameter `hd` is a hint that anybody can take out; the claim is what counts. Without it the account
/// is nobody's but the person's own.
fn hosted_domain(
    settings: &Settings,
    kind: TokenKind,
    claims: &Map<String, Value>,
    trace: &mut TraceLog,
) -> Checked<()> {
    if settings.profile.issuer != IssuerStyle::Google {
        return Ok(());
    }
    let (source, expected) = ("Google: OpenID Connect reference", settings.hosted_domains.join(", "));
    let hd = claims::text(claims, "hd").ok().flatten();
    let fits = hd.is_some_and(|hd| settings.hosted_domains.iter().any(|domain| domain.eq_ignore_ascii_case(hd)));
    require(trace, &kind.name("hd"), source, expected, hd.unwrap_or("none: an account of no organization"), fits)
}

fn auth_time(
    validator: &Validator<'_>,
    kind: TokenKind,
    claims: &Map<String, Value>,
    trace: &mut TraceLog,
) -> Checked<Option<i64>> {
    let (name, source) = (kind.name("auth_time"), "OpenID Connect Core 2");
    let latest = validator.now.seconds() + validator.skew();
    match claims::seconds(claims, "auth_time") {
        Ok(Some(at)) if at > latest => {
            let instant = |seconds: i64| Timestamp::from_seconds(seconds).rfc3339();
            refuse(trace, &name, source, format!("not after {}", instant(latest)), instant(at))
        }
        Ok(at) => Ok(at),
        Err(why) => refuse(trace, &name, source, "whole seconds since 1970", why.to_string()),
    }
}

fn nonce(claims: &Map<String, Value>, asked: &NonceHash, trace: &mut TraceLog) -> Checked<()> {
    let (source, expected) = ("OpenID Connect Core 3.1.3.7, 11", "that of the request");
    match claims::text(claims, "nonce") {
        Ok(Some(nonce)) => {
            let same = asked.is_of(nonce);
            require(trace, "nonce", source, expected, if same { expected } else { "another" }, same)
        }
        Ok(None) => refuse(trace, "nonce", source, expected, "none"),
        Err(why) => refuse(trace, "nonce", source, expected, why.to_string()),
    }
}
