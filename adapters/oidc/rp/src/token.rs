//! Signed tokens of the provider: header, key and signature, and what all kinds of them say about themselves.

use std::sync::Arc;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::jwk::PublicJwk;
use fedbridge_oidc_core::jws::{Accept, JwsRefused, UnverifiedJws, VerifiedJws, verify_hs256};
use serde_json::{Map, Value};

use crate::checks::{Checked, Stop, refuse, require};
use crate::claims;
use crate::encrypted;
use crate::issuer::IssuerRule;
use crate::jwks::{Asker, Place};
use crate::metadata::{Keys, Provider};
use crate::party::RelyingParty;
use crate::settings::TokenAlgorithm;
use crate::unverified::Header;

/// What a token is for. It gives checks their names, so that a trace says which token failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    Id,
    /// An ID token that came with a refresh (OpenID Connect Core 12.2).
    Renewed,
    /// OpenID Connect Core 5.3.2.
    Userinfo,
    /// Back-Channel Logout 1.0, section 2.4.
    Logout,
}

impl TokenKind {
    /// The name of a check.
    pub fn name(self, check: &str) -> String {
        match self {
            Self::Id if matches!(check, "alg" | "form" | "key" | "signature") => format!("{check} of the ID token"),
            Self::Id => check.to_owned(),
            Self::Renewed => format!("renewed {check}"),
            Self::Userinfo => format!("userinfo: {check}"),
            Self::Logout => format!("logout token: {check}"),
        }
    }

    /// Where a rule is written, by its number in OpenID Connect Core 3.1.3.7.
    pub fn source(self, rule: u8) -> &'static str {
        match (self, rule) {
            (Self::Renewed, _) => "OpenID Connect Core 12.2",
            (Self::Userinfo, _) => "OpenID Connect Core 5.3.2",
            (Self::Logout, _) => "Back-Channel Logout 1.0, 2.6",
            (Self::Id, 2) => "OpenID Connect Core 3.1.3.7, 2",
            (Self::Id, 3) => "OpenID Connect Core 3.1.3.7, 3",
            (Self::Id, 4 | 5) => "OpenID Connect Core 3.1.3.7, 4 and 5",
            (Self::Id, 6..=8) => "OpenID Connect Core 3.1.3.7, 6 to 8",
            (Self::Id, 9) => "OpenID Connect Core 3.1.3.7, 9",
            (Self::Id, 10) => "OpenID Connect Core 3.1.3.7, 10",
            (Self::Id, _) => "OpenID Connect Core 3.1.3.7",
        }
    }

    /// The values of `typ` that will do, in lower case; an empty one stands for none.
    fn types(self) -> &'static [&'static str] {
        match self {
            Self::Id | Self::Renewed | Self::Userinfo => &["", "jwt"],
            Self::Logout => &["", "logout+jwt"],
        }
    }
}

/// Checks tokens of one provider.
pub struct Validator<'a> {
    pub party: &'a RelyingParty,
    pub provider: &'a Provider,
    pub tenant: &'a Tenant,
    pub now: Timestamp,
}

/// Claims whose signature, issuer and audience were checked. Only [`Validator::signed`] makes one.
pub struct Signed {
    pub claims: Map<String, Value>,
    /// What it was signed with: it decides how `at_hash` is made.
    pub algorithm: TokenAlgorithm,
}

impl<'a> Validator<'a> {
    pub fn issuer(&self) -> IssuerRule<'a> {
        IssuerRule::of(&self.party.settings, self.provider)
    }

    /// Checks header, key, signature, `iss`, `aud` and `azp`, in this order.
    pub async fn signed(&self, token: &str, kind: TokenKind, asker: Asker, trace: &mut TraceLog) -> Checked<Signed> {
        let opened = if kind != TokenKind::Logout && encrypted::is_encrypted(token) {
            Some(encrypted::open(self, token, trace)?)
        } else {
            None
        };
        let token = opened.as_deref().unwrap_or(token);
        let header = Header::read(token, kind, kind.types(), &self.party.settings, trace)?;
        let (verified, key) = match header.algorithm {
            TokenAlgorithm::Hs256 => (self.by_secret(token, kind, trace)?, None),
            TokenAlgorithm::Signature(algorithm) => {
                let (verified, key) = self.by_key(token, &header, algorithm, kind, asker, trace).await?;
                (verified, Some(key))
            }
        };
        let VerifiedJws { claims, .. } = verified;
        self.issuer().check(kind, &claims, trace)?;
        if let (Some(key), Ok(Some(iss))) = (&key, claims::text(&claims, "iss")) {
            self.issuer().check_key(kind, key, iss, trace)?;
        }
        self.audience(kind, &claims, trace)?;
        Ok(Signed { claims, algorithm: header.algorithm })
    }

    /// `exp`, `iat` and `nbf`. A `None` for the age lets an old `iat` pass; with `Some` it must be there.
    pub fn times(
        &self,
        kind: TokenKind,
        claims: &Map<String, Value>,
        max_age: Option<i64>,
        trace: &mut TraceLog,
    ) -> Checked<()> {
        let (now, skew) = (self.now.seconds(), self.skew());
        let exp = time(kind, claims, "exp", 9, trace)?;
        if let Some(exp) = exp.or_absent(kind, max_age.is_some(), "exp", 9, trace)? {
            let expected = format!("after {}", instant(now - skew));
            require(trace, &kind.name("exp"), kind.source(9), expected, instant(exp), exp >= now - skew)?;
        }
        let iat = time(kind, claims, "iat", 10, trace)?;
        if let Some(iat) = iat.or_absent(kind, max_age.is_some(), "iat", 10, trace)? {
            let oldest = max_age.map_or(0, |age| now - age);
            let expected = format!("from {} to {}", instant(oldest), instant(now + skew));
            let fits = iat >= oldest && iat <= now + skew;
            require(trace, &kind.name("iat"), kind.source(10), expected, instant(iat), fits)?;
        }
        if let Some(nbf) = time(kind, claims, "nbf", 9, trace)?.0 {
            let expected = format!("not after {}", instant(now + skew));
            require(trace, &kind.name("nbf"), "RFC 7519 4.1.5", expected, instant(nbf), nbf <= now + skew)?;
        }
        Ok(())
    }

    /// The tolerance of clocks, in seconds.
    pub fn skew(&self) -> i64 {
        i64::try_from(self.party.settings.skew.as_secs()).unwrap_or(0)
    }

    fn by_secret(&self, token: &str, kind: TokenKind, trace: &mut TraceLog) -> Checked<VerifiedJws> {
        let secrets: Vec<&[u8]> = self.party.secrets.iter().map(Vec::as_slice).collect();
        verify_hs256(token, kind.types(), &secrets).or_else(|why| bad_signature(kind, why, trace))
    }

    async fn by_key(
        &self,
        token: &str,
        header: &Header,
        algorithm: SignatureAlgorithm,
        kind: TokenKind,
        asker: Asker,
        trace: &mut TraceLog,
    ) -> Checked<(VerifiedJws, PublicJwk)> {
        let name = kind.name("key");
        let source = "OpenID Connect Core 10.1";
        let kid = header.kid.as_deref();
        let called = kid.map_or_else(|| "a key without a name".to_owned(), |kid| format!("key {kid}"));
        if self.party.settings.distrusts(kid) {
            return refuse(trace, &name, source, "a key that is not in distrusted_keys", called);
        }
        let accept = Accept { algorithms: &[algorithm], types: kind.types() };
        let unverified = UnverifiedJws::read(token, &accept).or_else(|why| bad_signature(kind, why, trace))?;
        // Without a name only the signature says whether a key is the one that is meant.
        let there = |keys: &[PublicJwk]| match kid {
            Some(_) => unverified.finds(keys),
            None => unverified.is_signed_by(keys),
        };
        let published = match self.keys(there, asker).await {
            Ok(keys) => keys,
            Err(why) => {
                // The provider may have moved them: a look at its metadata tells.
                trace.check("the key set", source, "the provider's keys", why, false);
                return Err(Stop::KeyUnknown);
            }
        };
        let trusted = self.party.settings.trusted(&published);
        let fitting = unverified.fits(&trusted);
        if fitting == 0 {
            let expected = format!("one that the provider publishes for {}", algorithm.name());
            trace.check(&name, source, expected, called, false);
            return Err(Stop::KeyUnknown);
        }
        let single = kid.is_some() || fitting == 1;
        require(trace, &name, source, "one key that fits", format!("{called}, {fitting} fit"), single)?;
        match unverified.verify_by(&trusted) {
            Ok((verified, key)) => {
                require(trace, &kind.name("signature"), kind.source(6), "one of this key", "one of this key", true)?;
                Ok((verified, key.clone()))
            }
            Err(why) => bad_signature(kind, why, trace),
        }
    }

    async fn keys(
        &self,
        there: impl Fn(&[PublicJwk]) -> bool + Send + Sync,
        asker: Asker,
    ) -> Result<Arc<Vec<PublicJwk>>, String> {
        match &self.provider.keys {
            Keys::Given(keys) => Ok(Arc::new(keys.clone())),
            Keys::At(url) => {
                let (tenant, connection) = (self.tenant.id, self.party.connection);
                let place = Place { tenant, connection, url: url.to_string() };
                let egress = self.party.egress(self.tenant);
                self.party.key_sets.keys(&place, there, asker, egress.as_ref(), self.now).await
            }
        }
    }

    /// OpenID Connect Core 3.1.3.7, rules 3 to 5.
    fn audience(&self, kind: TokenKind, claims: &Map<String, Value>, trace: &mut TraceLog) -> Checked<()> {
        let settings = &self.party.settings;
        let own = settings.client_id.as_str();
        let name = kind.name("aud");
        let mut audiences = match claims::texts(claims, "aud") {
            Ok(Some(audiences)) => audiences,
            Ok(None) => return refuse(trace, &name, kind.source(3), own, "none"),
            Err(why) => return refuse(trace, &name, kind.source(3), own, why.to_string()),
        };
        audiences.dedup();
        let known = |audience: &&str| *audience == own || settings.audiences.iter().any(|other| other == audience);
        let fits = audiences.contains(&own) && audiences.iter().all(known);
        let expected = if settings.audiences.is_empty() {
            own.to_owned()
        } else {
            format!("{own}, and none besides but {}", settings.audiences.join(", "))
        };
        require(trace, &name, kind.source(3), expected, audiences.join(", "), fits)?;
        let name = kind.name("azp");
        match claims::text(claims, "azp") {
            Ok(None) if audiences.len() == 1 => Ok(()),
            Ok(azp) => require(trace, &name, kind.source(4), own, azp.unwrap_or("none"), azp == Some(own)),
            Err(why) => refuse(trace, &name, kind.source(4), own, why.to_string()),
        }
    }
}

fn bad_signature<T>(kind: TokenKind, why: JwsRefused, trace: &mut TraceLog) -> Checked<T> {
    match why {
        JwsRefused::Claims => {
            refuse(trace, "strict JSON", "RFC 8725 2.4", "claims that are strict JSON", why.to_string())
        }
        _ => refuse(trace, &kind.name("signature"), kind.source(6), "one that verifies", why.to_string()),
    }
}

/// A time that may not be there.
struct Time(Option<i64>);

fn time(kind: TokenKind, claims: &Map<String, Value>, claim: &str, rule: u8, trace: &mut TraceLog) -> Checked<Time> {
    match claims::seconds(claims, claim) {
        Ok(time) => Ok(Time(time)),
        Err(why) => refuse(trace, &kind.name(claim), kind.source(rule), "whole seconds since 1970", why.to_string()),
    }
}

impl Time {
    /// The time, which must be there if `required`.
    fn or_absent(
        self,
        kind: TokenKind,
        required: bool,
        claim: &str,
        rule: u8,
        trace: &mut TraceLog,
    ) -> Checked<Option<i64>> {
        match self.0 {
            None if required => refuse(trace, &kind.name(claim), kind.source(rule), "a time", "none"),
            time => Ok(time),
        }
    }
}

fn instant(seconds: i64) -> String {
    Timestamp::from_seconds(seconds).rfc3339()
}
