//! The schemas of RFC 7643 sections 3.1, 4.1, 4.2 and 4.3.

use super::attribute::{Attribute, Kind, Returned};
use super::{ENTERPRISE_URN, GROUP_URN, Schema, USER_URN};

fn text(name: &str, description: &str) -> Attribute {
    Attribute::new(name, Kind::String, description)
}

fn complex(name: &str, description: &str, sub_attributes: Vec<Attribute>) -> Attribute {
    Attribute::new(name, Kind::Complex, description).with(sub_attributes)
}

/// A multi-valued attribute with the usual sub-attributes (RFC 7643 section 2.4).
fn plural(name: &str, description: &str, value: Attribute, types: &'static [&'static str]) -> Attribute {
    let sub_attributes = vec![
        value,
        text("display", "How people read the value."),
        text("type", "What the value is used for.").words(types),
        Attribute::new("primary", Kind::Boolean, "Whether this is the preferred value. At most one is."),
    ];
    complex(name, description, sub_attributes).many()
}

const PLACES: &[&str] = &["work", "home", "other"];

pub fn common() -> Vec<Attribute> {
    let meta = vec![
        text("resourceType", "The kind of the resource.").exact().read_only(),
        Attribute::new("created", Kind::DateTime, "When the resource was made here.").read_only(),
        Attribute::new("lastModified", Kind::DateTime, "When the resource changed last here.").read_only(),
        Attribute::new("location", Kind::Reference, "The address of the resource.").refers_to(&["uri"]).read_only(),
        text("version", "The version of the resource, as in the header ETag.").exact().read_only(),
    ];
    vec![
        text("id", "An identifier that this server has given to the resource.")
            .exact()
            .unique()
            .read_only()
            .returned(Returned::Always),
        text("externalId", "An identifier of the client's own.").exact(),
        Attribute::new("schemas", Kind::Reference, "The schemas of the resource.")
            .refers_to(&["uri"])
            .many()
            .returned(Returned::Always),
        complex("meta", "What this server knows of the resource.", meta).read_only(),
    ]
}

pub fn user() -> Schema {
    let mut attributes = who();
    attributes.extend(about());
    attributes.extend(reached_by());
    attributes.extend(belongs_to());
    Schema { urn: USER_URN.into(), name: "User".into(), description: "A person's account.".into(), attributes }
}

fn who() -> Vec<Attribute> {
    let name = vec![
        text("formatted", "The full name as it is shown."),
        text("familyName", "The family name."),
        text("givenName", "The given name."),
        text("middleName", "The middle name or names."),
        text("honorificPrefix", "A title such as Ms."),
        text("honorificSuffix", "A suffix such as III."),
    ];
    vec![
        text("userName", "The name by which the person logs in at the client. Unique in this endpoint.")
            .required()
            .unique(),
        complex("name", "The parts of the person's name.", name),
        text("displayName", "The name that is shown to people."),
        text("nickName", "How the person is called among friends."),
    ]
}

fn about() -> Vec<Attribute> {
    vec![
        Attribute::new("profileUrl", Kind::Reference, "The address of a page about the person.")
            .refers_to(&["external"]),
        text("title", "The person's title, such as Vice President."),
        text("userType", "What the person is to the organization, such as Employee."),
        text("preferredLanguage", "Languages as in the header Accept-Language."),
        text("locale", "The place by which dates and numbers are written."),
        text("timezone", "The person's time zone, such as Europe/Zurich."),
        Attribute::new("active", Kind::Boolean, "Whether the person may log in."),
        text("password", "A new password. It is never given back.").exact().write_only(),
    ]
}

fn reached_by() -> Vec<Attribute> {
    let phones = &["work", "home", "mobile", "fax", "pager", "other"];
    let messengers = &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"];
    let photo = Attribute::new("value", Kind::Reference, "The address of a picture.").refers_to(&["external"]);
    let address = vec![
        text("formatted", "The whole address as it is shown."),
        text("streetAddress", "Street and number; it may have several lines."),
        text("locality", "The city."),
        text("region", "The state or region."),
        text("postalCode", "The postal code."),
        text("country", "The country, by ISO 3166-1 alpha-2."),
        text("type", "What the address is used for.").words(PLACES),
        Attribute::new("primary", Kind::Boolean, "Whether this is the preferred address. At most one is."),
    ];
    vec![
        plural("emails", "E-mail addresses.", text("value", "An e-mail address."), PLACES),
        plural("phoneNumbers", "Telephone numbers.", text("value", "A telephone number, kept as it came."), phones),
        plural("ims", "Addresses of messengers.", text("value", "An address."), messengers),
        plural("photos", "Pictures of the person.", photo, &["photo", "thumbnail"]),
        complex("addresses", "Postal addresses.", address).many(),
    ]
}

fn belongs_to() -> Vec<Attribute> {
    let groups = vec![
        text("value", "The group's id.").exact().read_only(),
        Attribute::new("$ref", Kind::Reference, "The group's address.").refers_to(&["Group"]).read_only(),
        text("display", "The group's name.").read_only(),
        text("type", "Whether the person is in the group itself or by way of another.")
            .words(&["direct", "indirect"])
            .read_only(),
    ];
    let certificate = Attribute::new("value", Kind::Binary, "A certificate: DER in base64.");
    vec![
        complex("groups", "Groups that the person is in. They are changed at the groups.", groups).many().read_only(),
        plural("entitlements", "What the person may do.", text("value", "An entitlement."), &[]),
        plural("roles", "What the person is.", text("value", "A role."), &[]),
        plural("x509Certificates", "Certificates of the person.", certificate, &[]),
    ]
}

pub fn enterprise() -> Schema {
    let manager = vec![
        text("value", "The id of the manager."),
        Attribute::new("$ref", Kind::Reference, "The address of the manager.").refers_to(&["User"]),
        text("displayName", "The manager's name."),
    ];
    let attributes = vec![
        text("employeeNumber", "A number or name that the organization has given to the person."),
        text("costCenter", "The cost center."),
        text("organization", "The organization."),
        text("division", "The division."),
        text("department", "The department."),
        complex("manager", "The person's manager.", manager),
    ];
    Schema {
        urn: ENTERPRISE_URN.into(),
        name: "EnterpriseUser".into(),
        description: "What an enterprise knows of a person besides.".into(),
        attributes,
    }
}

pub fn group() -> Schema {
    let members = vec![
        text("value", "The member's id.").exact().immutable(),
        Attribute::new("$ref", Kind::Reference, "The member's address.").refers_to(&["User", "Group"]).immutable(),
        text("type", "User or Group.").words(&["User", "Group"]).immutable(),
        text("display", "The member's name.").read_only().on_request(),
    ];
    let attributes = vec![
        text("displayName", "The group's name.").required(),
        complex("members", "Who is in the group: people and groups.", members).many(),
    ];
    Schema { urn: GROUP_URN.into(), name: "Group".into(), description: "A group of people.".into(), attributes }
}
