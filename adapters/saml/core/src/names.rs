//! Namespaces and identifiers of SAML 2.0 and of the documents around it.

pub const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
pub const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
pub const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
pub const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// SAML bindings 3.4 and 3.5.
pub const BINDING_REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
pub const BINDING_POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
/// SAML bindings 3.2 and 3.6.
pub const BINDING_SOAP: &str = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP";
pub const BINDING_ARTIFACT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact";

/// SAML profiles 3.3.
pub const METHOD_BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

/// SAML core 8.3: formats of name identifiers.
pub const FORMAT_UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
pub const FORMAT_EMAIL: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
pub const FORMAT_ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
pub const FORMAT_PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
pub const FORMAT_TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
/// An encrypted name of whatever format (SAML core 3.4.1.1).
pub const FORMAT_ENCRYPTED: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:encrypted";
/// Never defined, and sent by some all the same: means [`FORMAT_UNSPECIFIED`].
pub const FORMAT_UNSPECIFIED_20: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:unspecified";

/// As little defined, and sent by JumpCloud and others.
pub const FORMAT_UNSPECIFIED_10: &str = "urn:oasis:names:tc:SAML:1.0:nameid-format:unspecified";

/// SAML core 8.2: formats of attribute names.
pub const ATTRNAME_UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified";
pub const ATTRNAME_URI: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri";
pub const ATTRNAME_BASIC: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic";

/// SAML core 3.2.2.2: the status codes that change what happens.
pub const STATUS_SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
pub const STATUS_REQUESTER: &str = "urn:oasis:names:tc:SAML:2.0:status:Requester";
pub const STATUS_RESPONDER: &str = "urn:oasis:names:tc:SAML:2.0:status:Responder";
pub const STATUS_NO_PASSIVE: &str = "urn:oasis:names:tc:SAML:2.0:status:NoPassive";
pub const STATUS_NO_AUTHN_CONTEXT: &str = "urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext";
pub const STATUS_AUTHN_FAILED: &str = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed";
pub const STATUS_REQUEST_DENIED: &str = "urn:oasis:names:tc:SAML:2.0:status:RequestDenied";
pub const STATUS_VERSION_MISMATCH: &str = "urn:oasis:names:tc:SAML:2.0:status:VersionMismatch";
pub const STATUS_PARTIAL_LOGOUT: &str = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout";
pub const STATUS_INVALID_NAME_ID_POLICY: &str = "urn:oasis:names:tc:SAML:2.0:status:InvalidNameIDPolicy";
pub const STATUS_PROXY_COUNT_EXCEEDED: &str = "urn:oasis:names:tc:SAML:2.0:status:ProxyCountExceeded";
pub const STATUS_UNKNOWN_PRINCIPAL: &str = "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal";
pub const STATUS_UNSUPPORTED_BINDING: &str = "urn:oasis:names:tc:SAML:2.0:status:UnsupportedBinding";

/// The media type of metadata (SAML metadata, appendix A).
pub const METADATA_TYPE: &str = "application/samlmetadata+xml";

/// Where a connection takes answers, below its own address.
pub const ACS_ROUTE: &str = "saml/acs";
/// Where a connection publishes its metadata; also the default entity ID.
pub const METADATA_ROUTE: &str = "saml/metadata";

/// Where messages of logout come in: below a connection's address as its service provider, below the
/// tenant's as the identity provider.
pub const SLO_ROUTE: &str = "saml/slo";
/// Artifacts: where a connection takes them, and where the identity provider resolves its own.
pub const ARTIFACT_ROUTE: &str = "saml/artifact";

/// Where the identity provider publishes its metadata; also its entity ID.
pub const IDP_METADATA_ROUTE: &str = "saml/metadata";
/// Where the identity provider takes requests for a login.
pub const IDP_SSO_ROUTE: &str = "saml/sso";
/// Where a login of one app begins without a request; the last segment names the app.
pub const IDP_START_ROUTE: &str = "saml/start/*";
