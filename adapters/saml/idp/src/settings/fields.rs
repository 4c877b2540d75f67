//! The name of every setting of a service provider, with its help.

use fedbridge_contract::factory::Field;

use super::METADATA;

pub const FIELDS: &[Field] = &[
    Field::new(
        METADATA,
        "The service provider's metadata: { file: … }, { url: …, refresh: 6h, signed_by: … } or { xml: … }.",
    )
    .required()
    .document(),
    Field::new("entity_id", "Which service provider of the metadata is meant, where it describes several."),
    Field::new(
        "name_id",
        "How people are named: { format: persistent (default), transient, email, unspecified or a URI, claim: …, \
         affiliation: …, unverified: allow or refuse (default) }.",
    ),
    Field::new(
        "attributes",
        "What goes out, by its SAML name: a claim, { claim: …, name_format: …, friendly_name: … } or { value: … }. \
         Default: nothing.",
    ),
    Field::new("sign", "What is signed: both (default), response or assertion."),
    Field::new("encrypt", "Encrypt assertions to the key in the metadata. Default: false."),
    Field::new(
        "encryption",
        "How: { content: aes256-gcm (default), aes128-gcm, aes256-cbc or aes128-cbc, key: rsa-oaep (default) or \
         rsa-oaep-sha256 }.",
    ),
    Field::new("require_signed_requests", "Refuse requests that are not signed. Default: as the metadata says."),
    Field::new("allow_sha1_until", "Accept SHA-1 signatures until this date, for example 2027-03-31. Default: never."),
    Field::new("distrusted_keys", "Signing certificates to refuse at once, whatever the metadata says: [sha256:…]."),
    Field::new("audiences", "Audiences of assertions besides the entity ID. Default: none."),
    Field::new("assertion_lifetime", "How long an assertion may be used. Default: 5m, which is also the most."),
    Field::new("session_lifetime", "When the app is told to end its session. Default: with the bridge's."),
    Field::new(
        "unsolicited",
        "Logins that begin without a request of the app: false (default), true, or { targets: […] } with the \
         RelayStates that may be named.",
    ),
    Field::new("default_relay_state", "The RelayState of a login that names none."),
    Field::new("authn_contexts", "Authentication context classes, the weakest first: which is stronger than which."),
    Field::new("minimum_acr", "The weakest of authn_contexts that will do. Default: any."),
    Field::new(
        "consent",
        "Whether people are asked first: none (default: an app of the company's own), remember (once for the claims \
         that it gets) or always.",
    ),
    Field::new(
        "logout",
        "How the app hears of a logout: auto (default: SOAP if it can, else a frame), soap, frame, off.",
    ),
];
