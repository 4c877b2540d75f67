//! The name of every setting of a client, with its help.

use fedbridge_contract::factory::Field;

pub const FIELDS: &[Field] = &[
    Field::new("public", "An app that can keep no secret: it has none, and needs PKCE. Default: false."),
    Field::new(
        "token_endpoint_auth_method",
        "How it proves who it is: client_secret_basic, client_secret_post, private_key_jwt or none. Default: what its \
         secret or its keys allow.",
    ),
    Field::new("jwks", "Its public keys, instead of a secret: { keys: […] }."),
    Field::new("jwks_uri", "The address of its public keys, instead of a secret."),
    Field::new(
        "client_assertion_audience",
        "The audience of what it signs with its keys: issuer (default) or token_endpoint, as older apps have it.",
    ),
    Field::new(
        "grant_types",
        "authorization_code, refresh_token, client_credentials. Default: [authorization_code, refresh_token].",
    ),
    Field::new("redirect_uris", "Addresses that answers go to. Needed for authorization_code."),
    Field::new("post_logout_redirect_uris", "Addresses that a browser may be sent to after a logout."),
    Field::new("scopes", "Every scope that it may ever be given. Default: [openid, profile, email]."),
    Field::new("pkce", "required (default), or optional for apps with a secret or keys."),
    Field::new("backchannel_logout_uri", "Where it is told that a session ended."),
    Field::new("backchannel_logout_session_required", "Of use beside backchannel_logout_uri; kept in any case."),
    Field::new(
        "frontchannel_logout_uri",
        "What a frame of the logout page opens when a session ended, at the origin of one of the redirect_uris. Most \
         browsers send the app no cookie there: prefer backchannel_logout_uri, which is taken where both are set.",
    ),
    Field::new("frontchannel_logout_session_required", "Of use beside frontchannel_logout_uri; kept in any case."),
    Field::new(
        "consent",
        "Whether people are asked first: none (default: an app of the company's own), remember (once for what it asks \
         for) or always.",
    ),
    Field::new("initiate_login_uri", "Where a login can be started from this side."),
    Field::new("id_token_signed_response_alg", "ES256 (default), RS256, PS256 or EdDSA."),
    Field::new(
        "access_token",
        "{ format: jwt (default) or opaque, lifetime: 10m (1d at most), audience: the API (default: the issuer), \
         alg: ES256, RS256, PS256 or EdDSA }.",
    ),
    Field::new(
        "refresh_token",
        "{ rotation: true, grace: 10s (5m at most), idle: 30d, absolute: 90d }: how long one may come again, lie \
         unused, and live.",
    ),
    Field::new("resources", "Audiences whose tokens it may introspect, besides its own. Default: none."),
    Field::new("subject_type", "public (default), or pairwise: another `sub` for each sector."),
    Field::new("sector_identifier_uri", "The document that names the sector, where redirect_uris have several hosts."),
    Field::new(
        "default_max_age",
        "How old a login may be where the app does not say, for example 8h. Default: any age.",
    ),
];
