//! The name of every setting of an OpenID Connect connection, with its help.

use fedbridge_contract::factory::Field;

use super::SIGNALS_AUTHORIZATION;

pub const FIELDS: &[Field] = &[
    Field::new(
        "profile",
        "generic (default), entra, okta, google, keycloak, adfs or lemonldap: defaults of a product.",
    ),
    Field::new("issuer", "The provider's issuer, exactly as its metadata and its ID tokens say it.").required(),
    Field::new("client_id", "The bridge's client identifier at the provider.").required(),
    Field::new("client_secret", "The client's secret; 32 characters at least. client_secrets takes two.").secret(),
    Field::new(
        "client_secrets",
        "One or two secrets: the first is sent, and after invalid_client the second, so that a change fails no login.",
    )
    .secret(),
    Field::new("client_secret_expires", "The last day of the secret, for example 2027-03-01: check and metrics warn."),
    Field::new(
        "token_endpoint_auth_method",
        "client_secret_basic (default with a secret), client_secret_post or private_key_jwt (default without).",
    ),
    Field::new(
        "client_assertion_alg",
        "ES256 (default), RS256, PS256 or EdDSA: the key of private_key_jwt, published at {connection}/oidc/jwks.",
    ),
    Field::new("scopes", "Default: [openid, profile, email]. openid must be among them."),
    Field::new("response_mode", "query (default) or form_post: how the answer comes through the browser."),
    Field::new("pushed_requests", "auto (default: where the provider offers it), required or off (RFC 9126)."),
    Field::new("request_object", "off (default) or signed: parameters go as a signed JWT (RFC 9101)."),
    Field::new("offline_prompt", "consent (default with offline_access) or none: the prompt that goes with it."),
    Field::new("extra_parameters", "Further parameters of the authorization request, for example { resource: … }."),
    Field::new(
        "pass_on",
        "What of an app's request goes on to the provider. Default: all of prompt, max_age, acr_values, login_hint, \
         ui_locales, domain_hint.",
    ),
    Field::new(
        "id_token_signing_algs",
        "Algorithms that ID tokens may have. Default: [RS256, PS256, ES256, EdDSA]. HS256 only by naming it.",
    ),
    Field::new("audiences", "Further audiences that may stand in an ID token beside the client_id."),
    Field::new("clock_skew", "How far the clocks may differ. Default: 60s; 120s at most."),
    Field::new("userinfo", "auto (default: asked where the ID token lacks what the scopes promise), always or off."),
    Field::new("userinfo_signed", "Take signed userinfo alone. Default: false."),
    Field::new(
        "discovery",
        "auto (default: {issuer}/.well-known/openid-configuration), the address of the metadata, or off.",
    ),
    Field::new("metadata", "Members of the metadata that stand in the place of the published ones, or all of them."),
    Field::new("endpoint_hosts", "Hosts besides the issuer's that endpoints may move to without approval."),
    Field::new("subject", "Claims of the ID token that make the person's key: { from: [sub] }. Default: by profile."),
    Field::new("tenants", "entra: the directories (GUIDs) whose people may log in. Required for an issuer of many."),
    Field::new("hosted_domains", "google: the Workspace domains whose people may log in. Required there."),
    Field::new(
        "groups",
        "{ claim: groups, cap: 100, on_overage: refuse }: what happens where a token has not all groups: refuse \
         (default), graph (entra), api (okta), or keep.",
    ),
    Field::new(
        "groups_api_token",
        "okta: the API token for on_overage: api, of an administrator who may read users and groups, and no more.",
    )
    .secret(),
    Field::new("revalidate", "Ask the provider again this often while a session is used, 1m to 24h. Default: never."),
    Field::new(
        "revalidate_when_silent",
        "allow (default, at most 24 h after its last answer) or deny: where the provider does not answer then.",
    ),
    Field::new("revoke_at_logout", "Revoke the refresh token at the provider when a session ends (RFC 7009)."),
    Field::new(
        "logout",
        "Tell the provider when a session ends here. Default: true. Its own requests are always taken.",
    ),
    Field::new(
        "front_channel_sid",
        "sid (default) or subject: what the provider sends as sid in front-channel logout (LemonLDAP: subject).",
    ),
    Field::new(
        "global_token_revocation",
        "{ issuer: …, jwks_uri: … }: who may end all sessions and tokens of a person by a signed call. Default: nobody.",
    ),
    Field::new(
        "signals",
        "{ issuer: …, jwks_uri: …, audience: … }: whose security events are taken at /signals/events (Shared Signals, \
         CAEP, RISC). Default: nobody's.",
    ),
    Field::new(
        SIGNALS_AUTHORIZATION,
        "The Authorization header that they have to come with. Default: none is asked for.",
    )
    .secret(),
    Field::new(
        "initiate_login",
        "{ targets: […], client: … }: logins that the provider starts, and where they may lead. Default: refused.",
    ),
    Field::new("distrusted_keys", "Key identifiers (kid) to refuse at once, whatever the key set says."),
];
