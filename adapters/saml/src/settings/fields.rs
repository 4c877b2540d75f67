//! The name of every setting of a SAML connection, with its help.

use fedbridge_contract::factory::Field;

pub const FIELDS: &[Field] = &[
    Field::new(
        "idp_metadata",
        "The identity provider's metadata: { file: … }, { url: …, refresh: 6h, signed_by: … } or { xml: … }.",
    )
    .required()
    .document(),
    Field::new("entity_id", "Which identity provider of the metadata is meant, where it describes several."),
    Field::new("sp_entity_id", "The entity ID of the bridge at this provider. Default: the metadata address."),
    Field::new(
        "subject",
        "Where the subject comes from: { from: [NAME_ID] } or attribute names, the first present wins.",
    ),
    Field::new("require_signed", "assertion, response, both or either (default). Every signature present must verify."),
    Field::new("sign_requests", "Sign authentication requests. Default: true."),
    Field::new("sign_metadata", "Sign the published metadata. Default: false."),
    Field::new("allow_cbc", "Accept assertions encrypted with AES-CBC. Default: false."),
    Field::new("allow_sha1_until", "Accept SHA-1 signatures until this date, for example 2027-03-31. Default: never."),
    Field::new(
        "allow_idp_initiated",
        "Accept logins that the provider starts: { client: …, mode: bounce or accept, targets: […] }, or \
         { service_provider: … }. Default: refused.",
    ),
    Field::new("clock_skew", "How far the clocks may differ. Default: 180s; 300s at most."),
    Field::new("request_binding", "redirect or post. Default: redirect, unless the provider offers post alone."),
    Field::new(
        "name_id_policy",
        "{ format: …, allow_create: true, sp_name_qualifier: … } for the request. Default: none.",
    ),
    Field::new(
        "requested_authn_context",
        "{ classes: […], comparison: exact, required: true, accepted: […] }. Default: none.",
    ),
    Field::new("force_authn", "Ask for a fresh authentication each time. Default: false."),
    Field::new("assertion_consumer_service_index", "Send this index (0) instead of the address. Default: the address."),
    Field::new("login_hint_parameter", "The query parameter that carries a login hint, for example login_hint."),
    Field::new(
        "response_binding",
        "post (default) or artifact: whether answers come through the browser or are fetched.",
    ),
    Field::new(
        "logout",
        "Tell the provider when a session ends here. Default: true. Its own requests are always taken.",
    ),
    Field::new("distrusted_keys", "Signing certificates to refuse at once, whatever the metadata says: [sha256:…]."),
    Field::new("issuers", "Further entity IDs of this provider, accepted in logout messages only."),
    Field::new("scoping", "Tell the provider which app asks, and pass a ProxyCount on. Default: false."),
    Field::new("pass_authn_context", "Ask for the authentication contexts that the app requires. Default: false."),
];
