//! What the server says of itself (RFC 7643 sections 5 to 7). Nothing in it is null.

use serde_json::{Map, Value, json};

use crate::schema::{Attribute, Kind, Mutability, ResourceKind, Returned, Schema, Schemas, Uniqueness};

pub const CONFIG_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
pub const RESOURCE_TYPE_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
pub const SCHEMA_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// RFC 9967 sections 2.4 and 2.5.
const EVENTS: [&str; 10] = [
    "urn:ietf:params:scim:event:prov:create:notice",
    "urn:ietf:params:scim:event:prov:create:full",
    "urn:ietf:params:scim:event:prov:put:notice",
    "urn:ietf:params:scim:event:prov:put:full",
    "urn:ietf:params:scim:event:prov:patch:notice",
    "urn:ietf:params:scim:event:prov:patch:full",
    "urn:ietf:params:scim:event:prov:delete",
    "urn:ietf:params:scim:event:prov:activate",
    "urn:ietf:params:scim:event:prov:deactivate",
    "urn:ietf:params:scim:event:misc:asyncresp",
];

/// What can be set about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The address of the endpoint, without a slash at the end.
    pub base: String,
    pub change_password: bool,
    /// Resources of one answer at most.
    pub most_results: u64,
    pub page: u64,
    /// In seconds (RFC 9865 section 4).
    pub cursor_timeout: u64,
    pub bulk_operations: u64,
    /// In octets.
    pub bulk_octets: u64,
    /// Where an OAuth client gets access tokens (RFC 6749 section 4.4), where there is one.
    pub oauth: Option<String>,
    /// Events that somebody is told of (RFC 9967 section 4).
    pub events: bool,
}

pub fn service_provider_config(facts: &Facts) -> Value {
    let mut ways = vec![json!({
        "type": "oauthbearertoken",
        "name": "Bearer token",
        "description": "A secret of this connection, in the header Authorization.",
        "specUri": "https://www.rfc-editor.org/info/rfc6750",
        "primary": true,
    })];
    if let Some(endpoint) = &facts.oauth {
        ways.push(json!({
            "type": "oauth2",
            "name": "OAuth client credentials",
            "description": format!("An access token from {endpoint}."),
            "specUri": "https://www.rfc-editor.org/info/rfc6749",
            "primary": false,
        }));
    }
    let mut config = json!({
        "schemas": [CONFIG_URN],
        "patch": { "supported": true },
        "bulk": {
            "supported": true,
            "maxOperations": facts.bulk_operations,
            "maxPayloadSize": facts.bulk_octets,
        },
        "filter": { "supported": true, "maxResults": facts.most_results },
        "changePassword": { "supported": facts.change_password },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": facts.page,
            "maxPageSize": facts.most_results,
            "cursorTimeout": facts.cursor_timeout,
        },
        "authenticationSchemes": ways,
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{}/ServiceProviderConfig", facts.base),
        },
    });
    if let (true, Value::Object(config)) = (facts.events, &mut config) {
        config.insert("securityEvents".into(), json!({ "asyncRequest": "request", "eventUris": EVENTS }));
    }
    config
}

pub fn resource_type(kind: ResourceKind, schemas: &Schemas, base: &str) -> Value {
    let extensions: Vec<_> = schemas
        .extensions(kind)
        .iter()
        .map(|schema| {
            let required = schema.attributes.iter().any(|attribute| attribute.required);
            json!({ "schema": schema.urn, "required": required })
        })
        .collect();
    let mut described = json!({
        "schemas": [RESOURCE_TYPE_URN],
        "id": kind.name(),
        "name": kind.name(),
        "endpoint": format!("/{}", kind.endpoint()),
        "description": schemas.core(kind).description,
        "schema": kind.urn(),
        "meta": {
            "resourceType": "ResourceType",
            "location": format!("{base}/ResourceTypes/{}", kind.name()),
        },
    });
    if let (false, Some(members)) = (extensions.is_empty(), described.as_object_mut()) {
        members.insert("schemaExtensions".to_owned(), Value::Array(extensions));
    }
    described
}

pub fn schema(schema: &Schema, base: &str) -> Value {
    json!({
        "schemas": [SCHEMA_URN],
        "id": schema.urn,
        "name": schema.name,
        "description": schema.description,
        "attributes": schema.attributes.iter().map(attribute).collect::<Vec<_>>(),
        "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{}", schema.urn) },
    })
}

fn attribute(attribute: &Attribute) -> Value {
    let mut described = Map::new();
    let mut say = |name: &str, value: Value| drop(described.insert(name.to_owned(), value));
    say("name", attribute.name.as_str().into());
    say("type", kind(attribute.kind).into());
    say("multiValued", attribute.multi_valued.into());
    say("description", attribute.description.as_str().into());
    say("required", attribute.required.into());
    say("mutability", mutability(attribute.mutability).into());
    say("returned", returned(attribute.returned).into());
    if attribute.kind == Kind::Complex {
        say("subAttributes", attribute.sub_attributes.iter().map(self::attribute).collect());
    } else {
        say("caseExact", attribute.case_exact.into());
        say(
            "uniqueness",
            match attribute.uniqueness {
                Uniqueness::None => "none",
                Uniqueness::Server => "server",
            }
            .into(),
        );
    }
    for (name, words) in
        [("canonicalValues", attribute.canonical_values), ("referenceTypes", attribute.reference_types)]
    {
        if !words.is_empty() {
            say(name, words.iter().copied().collect());
        }
    }
    Value::Object(described)
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "string",
        Kind::Boolean => "boolean",
        Kind::Decimal => "decimal",
        Kind::Integer => "integer",
        Kind::DateTime => "dateTime",
        Kind::Binary => "binary",
        Kind::Reference => "reference",
        Kind::Complex => "complex",
    }
}

const fn mutability(mutability: Mutability) -> &'static str {
    match mutability {
        Mutability::ReadOnly => "readOnly",
        Mutability::ReadWrite => "readWrite",
        Mutability::Immutable => "immutable",
        Mutability::WriteOnly => "writeOnly",
    }
}

const fn returned(returned: Returned) -> &'static str {
    match returned {
        Returned::Always => "always",
        Returned::Never => "never",
        Returned::Default => "default",
        Returned::Request => "request",
    }
}
