//! Answers: what is shown of a resource, lists, and what the server says of itself.

use fedbridge_scim_core::discovery::{self, Facts};
use fedbridge_scim_core::list::{Paging, Query, Standing, response};
use fedbridge_scim_core::projection::Projection;
use fedbridge_scim_core::schema::ENTERPRISE_URN;
use fedbridge_scim_core::{Fault, ResourceKind, ScimType};
use serde_json::{Value, json};

use crate::support::{SCHEMAS, word};

fn view() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE_URN],
        "id": "1",
        "userName": "ann",
        "name": { "givenName": "Ann", "familyName": "Lee" },
        "emails": [{ "value": "a", "type": "work" }, { "value": "b" }],
        ENTERPRISE_URN: { "department": "Sales", "division": "x" },
        "meta": { "resourceType": "User", "version": "W/\"1\"" },
    })
}

fn names(text: &str) -> Option<Vec<String>> {
    (!text.is_empty()).then(|| text.split(',').map(str::to_owned).collect())
}

fn shown(only: &str, without: &str) -> Value {
    let (only, without) = (names(only), names(without));
    let projection = Projection::read(only.as_deref(), without.as_deref(), &SCHEMAS, ResourceKind::User).unwrap();
    Value::Object(projection.apply(view().as_object().unwrap().clone()))
}

#[test]
fn attributes_are_chosen_and_left_out() {
    assert_eq!(shown("", ""), view());
    let schemas = &view()["schemas"];
    assert_eq!(shown("userName", ""), json!({ "schemas": schemas, "id": "1", "userName": "ann" }));
    assert_eq!(shown("USERNAME, nothing,password", ""), json!({ "schemas": schemas, "id": "1", "userName": "ann" }));
    let parts = shown("name.givenName,emails.value,emails.type", "");
    assert_eq!(parts["name"], json!({ "givenName": "Ann" }));
    assert_eq!(parts["emails"], view()["emails"]);
    assert_eq!(shown("emails.type", "")["emails"], json!([{ "type": "work" }, {}]));
    let department = shown(&format!("{ENTERPRISE_URN}:department"), "");
    assert_eq!(department[ENTERPRISE_URN], json!({ "department": "Sales" }));
    assert_eq!(shown(ENTERPRISE_URN, "")[ENTERPRISE_URN], view()[ENTERPRISE_URN]);
    let less = shown("", "id,schemas,name,emails.type,meta");
    assert_eq!(less["id"], "1", "what is always returned can't be left out");
    assert_eq!(less["emails"], json!([{ "value": "a" }, { "value": "b" }]));
    assert!(less.get("name").is_none() && less.get("meta").is_none() && less.get("userName").is_some());
    assert!(shown("", ENTERPRISE_URN).get(ENTERPRISE_URN).is_none());
    let both = names("id");
    let fault = Projection::read(both.as_deref(), both.as_deref(), &SCHEMAS, ResourceKind::User).unwrap_err();
    assert_eq!(word(&fault), "invalidValue");
}

#[test]
fn members_are_found_out_only_where_they_are_shown() {
    let wants = |only: &str, without: &str| {
        let (only, without) = (names(only), names(without));
        let projection = Projection::read(only.as_deref(), without.as_deref(), &SCHEMAS, ResourceKind::Group);
        projection.unwrap().wants("members")
    };
    assert!(wants("", "") && wants("members", "") && wants("members.value", "") && wants("", "members.display"));
    assert!(!wants("displayName", "") && !wants("", "members") && !wants("", "displayName,MEMBERS"));
}

#[test]
fn a_query_is_read_from_parameters_and_from_a_body() {
    let read = |params: &[(&str, &str)]| Query::from_params(params.iter().copied());
    assert_eq!(read(&[]).unwrap(), Query::default());
    let whole = read(&[
        ("filter", "title pr"),
        ("startIndex", "11"),
        ("COUNT", "5"),
        ("attributes", "id, userName,"),
        ("aadOptscim062020", ""),
    ]);
    let wanted = Query {
        filter: Some("title pr".into()),
        paging: Paging::Index(11),
        count: Some(5),
        attributes: Some(vec!["id".into(), "userName".into()]),
        excluded: None,
    };
    assert_eq!(whole.unwrap(), wanted);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "title pr", "startIndex": 11, "count": 5, "attributes": ["id", "userName"], "sortBy": "userName",
    });
    assert_eq!(Query::from_body(body).unwrap(), wanted);
    for (text, index) in [("0", 1), ("-5", 1), ("1", 1), ("7", 7)] {
        assert_eq!(read(&[("startIndex", text)]).unwrap().paging, Paging::Index(index));
    }
    assert_eq!(read(&[("count", "-1")]).unwrap().count, Some(0));
    assert_eq!(read(&[("cursor", "")]).unwrap().paging, Paging::Cursor(None));
    assert_eq!(read(&[("cursor", "x")]).unwrap().paging, Paging::Cursor(Some("x".into())));
    for (params, said) in [
        (vec![("count", "many")], "invalidCount"),
        (vec![("startIndex", "x")], "invalidValue"),
        (vec![("startIndex", "1"), ("cursor", "")], "invalidValue"),
        (vec![("attributes", "id"), ("excludedAttributes", "name")], "invalidValue"),
    ] {
        assert_eq!(word(&read(&params).unwrap_err()), said, "{params:?}");
    }
    for body in [
        json!([]),
        json!({ "schemas": [] }),
        json!({ "filter": 7 }),
        json!({ "count": "x" }),
        json!({ "attributes": [7] }),
    ] {
        assert!(Query::from_body(body.clone()).is_err(), "{body}");
    }
}

#[test]
fn a_list_says_where_it_is() {
    let none = response(Some(0), Vec::new(), &Standing::Index(1));
    assert_eq!(none["Resources"], json!([]));
    assert_eq!((&none["totalResults"], &none["itemsPerPage"], &none["startIndex"]), (&json!(0), &json!(0), &json!(1)));
    let standing = Standing::Cursors { next: Some("n".into()), previous: None };
    let page = response(Some(7), vec![json!({})], &standing);
    assert_eq!((&page["nextCursor"], page.get("previousCursor"), page.get("startIndex")), (&json!("n"), None, None));
}

#[test]
fn refusals_have_the_form_of_the_rfc() {
    let fault = Fault::new(ScimType::Uniqueness, "there is such a user already");
    let wanted = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": "409", "scimType": "uniqueness", "detail": "there is such a user already",
    });
    assert_eq!(fault.to_json(), wanted);
    assert!(Fault::plain(404, "x").to_json().get("scimType").is_none());
}

fn nowhere_null(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => values.iter().all(nowhere_null),
        Value::Object(members) => members.values().all(nowhere_null),
        _ => true,
    }
}

#[test]
fn the_server_describes_itself() {
    let facts = Facts {
        base: "https://x.example/scim/v2".into(),
        change_password: false,
        most_results: 1000,
        page: 100,
        cursor_timeout: 3600,
        bulk_operations: 1000,
        bulk_octets: 1_048_576,
        oauth: Some("https://x.example/scim/token".into()),
        events: true,
    };
    let config = discovery::service_provider_config(&facts);
    assert_eq!(config["pagination"]["defaultPaginationMethod"], "index");
    assert_eq!(config["authenticationSchemes"].as_array().unwrap().len(), 2);
    for kind in ResourceKind::ALL {
        let described = discovery::resource_type(kind, &SCHEMAS, &facts.base);
        assert_eq!(described["endpoint"], format!("/{}", kind.endpoint()));
        assert!(nowhere_null(&described));
    }
    let group = discovery::resource_type(ResourceKind::Group, &SCHEMAS, &facts.base);
    assert!(group.get("schemaExtensions").is_none());
    let schemas: Vec<_> = SCHEMAS.all().map(|schema| discovery::schema(schema, &facts.base)).collect();
    assert_eq!(schemas.len(), 4);
    assert!(nowhere_null(&config) && schemas.iter().all(nowhere_null));
    let user = &schemas[0]["attributes"];
    let of = |name: &str| user.as_array().unwrap().iter().find(|it| it["name"] == name).unwrap();
    assert_eq!((&of("userName")["uniqueness"], &of("userName")["required"]), (&json!("server"), &json!(true)));
    assert_eq!((&of("password")["returned"], &of("password")["mutability"]), (&json!("never"), &json!("writeOnly")));
    assert_eq!(of("groups")["mutability"], "readOnly");
    assert_eq!(of("emails")["subAttributes"].as_array().unwrap().len(), 4);
}
