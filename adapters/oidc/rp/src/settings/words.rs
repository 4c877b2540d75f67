//! Settings that take one word of a few.

use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_oidc_core::settings_reader::Reader;

use super::{AuthMethod, FrontChannelSid, PushedRequests, ResponseMode, UserinfoUse, WhenSilent};
use crate::profiles::Profile;

pub(super) fn auth_method(reader: &mut Reader<'_>, secret: bool) -> AuthMethod {
    const KEY: &str = "token_endpoint_auth_method";
    let methods =
        [AuthMethod::Basic, AuthMethod::Post, AuthMethod::PrivateKeyJwt].map(|method| (method.name(), method));
    let chosen = reader.choice(KEY, &methods);
    let method = chosen.unwrap_or(if secret { AuthMethod::Basic } else { AuthMethod::PrivateKeyJwt });
    if method != AuthMethod::PrivateKeyJwt && !secret {
        reader.complain(KEY, format!("{} needs a client_secret", method.name()));
    }
    method
}

pub(super) fn assertion_algorithm(reader: &mut Reader<'_>) -> SignatureAlgorithm {
    let all =
        [SignatureAlgorithm::ES256, SignatureAlgorithm::RS256, SignatureAlgorithm::PS256, SignatureAlgorithm::EdDSA];
    let chosen = reader.choice("client_assertion_alg", &all.map(|algorithm| (algorithm.name(), algorithm)));
    chosen.unwrap_or(SignatureAlgorithm::ES256)
}

pub(super) fn response_mode(reader: &mut Reader<'_>) -> ResponseMode {
    let modes = [("query", ResponseMode::Query), ("form_post", ResponseMode::FormPost)];
    reader.choice("response_mode", &modes).unwrap_or(ResponseMode::Query)
}

pub(super) fn pushed_requests(reader: &mut Reader<'_>) -> PushedRequests {
    let words = [("auto", PushedRequests::Auto), ("required", PushedRequests::Required), ("off", PushedRequests::Off)];
    reader.choice("pushed_requests", &words).unwrap_or(PushedRequests::Auto)
}

pub(super) fn offline_prompt(reader: &mut Reader<'_>, profile: &Profile) -> bool {
    let words = [("consent", true), ("none", false)];
    reader.choice("offline_prompt", &words).unwrap_or(profile.offline_prompt)
}

pub(super) fn userinfo(reader: &mut Reader<'_>) -> UserinfoUse {
    let words = [("auto", UserinfoUse::Auto), ("always", UserinfoUse::Always), ("off", UserinfoUse::Off)];
    reader.choice("userinfo", &words).unwrap_or(UserinfoUse::Auto)
}

pub(super) fn when_silent(reader: &mut Reader<'_>) -> WhenSilent {
    let words = [("allow", WhenSilent::Allow), ("deny", WhenSilent::Deny)];
    reader.choice("revalidate_when_silent", &words).unwrap_or(WhenSilent::Allow)
}

pub(super) fn front_channel_sid(reader: &mut Reader<'_>) -> FrontChannelSid {
    let words = [("sid", FrontChannelSid::Sid), ("subject", FrontChannelSid::Subject)];
    reader.choice("front_channel_sid", &words).unwrap_or(FrontChannelSid::Sid)
}
