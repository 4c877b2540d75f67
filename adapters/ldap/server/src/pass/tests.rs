#![allow(clippy::unwrap_used)]
use std::sync::Mutex;
use std::time::Duration;

use fedbridge_contract::config::Connection;
use fedbridge_contract::ldap_directory::PassThroughRule;
use fedbridge_ldap_core::Scope;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::directories::testkit::{
    BASE, Given, asked, by_app, by_person, directory, read as entry_of, services, shown, tenant,
};

const THERE: &str = "OU=Printers,DC=ad,DC=example";
const HERE: &str = "ou=printers,dc=acme,dc=example";

/// Says what was asked, and gives what it was told to.
struct Upstream {
    gives: Vec<Op>,
    result: PassedResult,
    asked: Mutex<Vec<PassedSearch>>,
    compared: Mutex<Vec<(String, String, Vec<u8>)>>,
}

#[async_trait]
impl PassThrough for Upstream {
    async fn search(&self, search: PassedSearch, sink: mpsc::Sender<Bytes>) -> PassedResult {
        self.asked.lock().unwrap().push(search);
        for op in &self.gives {
            if sink.send(op.octets()).await.is_err() {
                break;
            }
        }
        self.result.clone()
    }

    async fn compare(&self, dn: &str, attribute: &str, value: &[u8]) -> PassedResult {
        self.compared.lock().unwrap().push((dn.to_owned(), attribute.to_owned(), value.to_vec()));
        PassedResult { code: 6, matched_dn: String::new() }
    }
}

fn entry(dn: &str, attributes: &[(&str, &str)]) -> Op {
    let one = |(name, value): &(&str, &str)| ((*name).to_owned(), vec![Bytes::copy_from_slice(value.as_bytes())]);
    Op::Entry(Entry { dn: dn.to_owned(), attributes: attributes.iter().map(one).collect() })
}

fn upstream(gives: Vec<Op>, code: u32) -> Arc<Upstream> {
    let result = PassedResult { code, matched_dn: format!("ou=x,{THERE}") };
    Arc::new(Upstream { gives, result, asked: Mutex::default(), compared: Mutex::default() })
}

/// The directory with a subtree of an upstream, for an app with these settings.
fn opened(upstream: Option<Arc<Upstream>>, settings: serde_json::Value, as_: &Identity) -> Option<Arc<dyn Elsewhere>> {
    let (tenant, given, subtree) = world(upstream, settings);
    assert!(subtree.holds(&Dn::parse("cn=x, OU=printers,dc=acme,dc=example").unwrap()));
    assert!(!subtree.holds(&Dn::parse(BASE).unwrap()));
    open(&subtree, as_, &tenant, &services(&given))
}

fn world(upstream: Option<Arc<Upstream>>, settings: serde_json::Value) -> (Tenant, Arc<Given>, Subtree) {
    let rule = PassThroughRule { connection: "ad".into(), base: THERE.into(), at: "ou=printers".into() };
    let directory = LdapDirectory { pass_through: vec![rule], ..directory() };
    let made = tenant(1, "acme", directory.clone(), &[("app", settings)]);
    let connection = Connection {
        id: ConnectionId::from_uuid(Uuid::from_u128(5)),
        slug: "ad".into(),
        display_name: "AD".into(),
        protocol: "ldap".into(),
        enabled: true,
        domains: Vec::new(),
    };
    let tenant = Tenant::new(
        made.id,
        made.slug.clone(),
        made.display_name.clone(),
        true,
        "https://bridge.example",
        vec![Arc::new(connection)],
        made.apps.clone(),
        Arc::clone(&made.keys),
    );
    let tenant = tenant.with_settings(made.settings.clone());
    let layout = Layout::of(&directory).unwrap();
    let subtree = subtrees(&tenant, &directory, &layout).remove(0);
    let given = Arc::new(Given { upstream: upstream.map(|it| it as Arc<dyn PassThrough>), ..Given::default() });
    (tenant, given, subtree)
}

fn few() -> serde_json::Value {
    json!({ "attributes": ["cn", "location", "owner", "userPassword2"], "filter_attributes": ["cn", "owner"] })
}

async fn searched(elsewhere: &Arc<dyn Elsewhere>, search: Search, size: u32) -> (Vec<Entry>, Page) {
    let (out, mut arriving) = mpsc::channel(100);
    let page = elsewhere.search(search, Limits { size, time: Duration::from_secs(3) }, out).await;
    let mut found = Vec::new();
    while let Some(entry) = arriving.recv().await {
        found.push(entry_of(&entry));
    }
    (found, page)
}

#[tokio::test]
async fn names_are_moved_both_ways() {
    let gives = vec![
        entry(
            "CN=P1,ou=printers,DC=AD,dc=example",
            &[("cn", "P1"), ("owner", "cn=Head, OU=Printers,DC=ad,DC=example"), ("secret", "x")],
        ),
        Op::Reference(vec!["ldap://inside.example/ou=other".to_owned()]),
        entry("CN=Elsewhere,DC=ad,DC=example", &[("cn", "Elsewhere")]),
    ];
    let upstream = upstream(gives, 0);
    let app = opened(Some(Arc::clone(&upstream)), few(), &by_app(0)).unwrap();
    let search = asked(
        &format!("cn=Floor 1,{HERE}"),
        Scope::Sub,
        &format!("(owner=cn=head,{HERE})"),
        &["cn", "owner", "secret"],
    );
    let (found, page) = searched(&app, search, 10).await;
    assert_eq!(page.code, Code::SUCCESS);
    assert_eq!(found.len(), 1, "no reference, and nothing that lies outside");
    assert_eq!(found[0].dn, format!("CN=P1,{HERE}"));
    assert_eq!(shown(&found[0]), format!("cn=P1; owner=cn=Head,{HERE}"));
    let asked = upstream.asked.lock().unwrap()[0].clone();
    assert_eq!(
        (asked.base, asked.attributes),
        (format!("cn=Floor 1,{THERE}"), vec!["cn".to_owned(), "owner".to_owned()])
    );
    assert_eq!(Filter::decode(&asked.filter).unwrap().print(), format!("(owner=cn=head,{THERE})"));
}

#[tokio::test]
async fn what_the_view_denies_is_not_asked() {
    for (filter, passed) in [
        ("(cn=a)", Some("(cn=a)")),
        ("(location=a)", None),
        ("(!(location=a))", None),
        ("(&(cn=a)(!(location=b)))", None),
        ("(|(cn=a)(location=b))", Some("(|(cn=a))")),
        ("(!(|(cn=a)(location=b)))", None),
        ("(!(&(cn=a)(location=b)))", Some("(!(&(cn=a)))")),
        ("(userPassword=*)", None),
        ("(:caseIgnoreMatch:=a)", None),
        ("(cn:dn:=a)", None),
        ("(cn:caseExactMatch:=a)", Some("(cn:caseExactMatch:=a)")),
        ("(&(objectClass=*)(entryUUID=x))", Some("(&(objectClass=*)(entryUUID=x))")),
        ("(&)", Some("(objectClass=*)")),
        ("(|)", None),
    ] {
        let upstream = upstream(Vec::new(), 0);
        let app = opened(Some(Arc::clone(&upstream)), few(), &by_app(0)).unwrap();
        let (_, page) = searched(&app, asked(HERE, Scope::Sub, filter, &[]), 10).await;
        assert_eq!(page.code, Code::SUCCESS);
        let asked = upstream.asked.lock().unwrap();
        let printed = asked.first().map(|asked| Filter::decode(&asked.filter).unwrap().print());
        assert_eq!(printed.as_deref(), passed, "{filter}");
    }
}

#[tokio::test]
async fn what_is_asked_for_is_what_the_view_allows() {
    let names = Names::of(&["cn".to_owned(), "location".to_owned()]);
    assert_eq!(names.wanted(&["mail".to_owned()]), ["1.1"]);
    assert_eq!(names.wanted(&[]), ["cn", "location", "objectClass"]);
    assert_eq!(
        names.wanted(&["commonName".to_owned(), "*".to_owned()]),
        ["cn", "commonName", "location", "objectClass"]
    );
    assert!(names.has("CN;lang-en") && names.has("entryUUID") && !names.has("mail"));
    assert!(!Names::all().has("userPassword") && !Names::all().has("unicodePwd;binary") && Names::all().has("mail"));
}

#[tokio::test]
async fn only_codes_that_concern_the_client_are_passed() {
    for (theirs, ours) in [(0, 0), (4, 4), (32, 32), (10, 52), (1, 52), (49, 52), (50, 52), (51, 51), (80, 52)] {
        let app = opened(Some(upstream(Vec::new(), theirs)), few(), &by_app(0)).unwrap();
        let page = searched(&app, asked(HERE, Scope::Sub, "(cn=*)", &[]), 10).await.1;
        assert_eq!(page.code, Code(ours), "{theirs}");
        assert_eq!(page.matched, if theirs == 32 { format!("ou=x,{HERE}") } else { String::new() });
    }
    let gone = opened(None, few(), &by_app(0)).unwrap();
    assert_eq!(searched(&gone, asked(HERE, Scope::Sub, "(cn=*)", &[]), 10).await.1.code, Code::UNAVAILABLE);
}

#[tokio::test]
async fn more_than_may_be_given_is_cut() {
    let gives = || (0..50).map(|number| entry(&format!("cn=p{number},{THERE}"), &[("cn", "p")])).collect();
    let app = opened(Some(upstream(gives(), 0)), few(), &by_app(0)).unwrap();
    let (found, page) = searched(&app, asked(HERE, Scope::Sub, "(cn=*)", &[]), 7).await;
    assert_eq!((found.len(), page.code), (7, Code::SIZE_LIMIT));
    let app = opened(Some(upstream(gives(), 0)), few(), &by_app(0)).unwrap();
    assert_eq!(searched(&app, asked(HERE, Scope::Sub, "(cn=*)", &[]), 50).await.1.code, Code::SUCCESS);
}

#[tokio::test]
async fn comparing_is_under_the_view_too() {
    let upstream = upstream(Vec::new(), 0);
    let app = opened(Some(Arc::clone(&upstream)), few(), &by_app(0)).unwrap();
    let dn = format!("cn=p1,{HERE}");
    assert_eq!(app.compare(&dn, "owner", format!("cn=x,{HERE}").as_bytes()).await.0, Code::COMPARE_TRUE);
    assert_eq!(app.compare(&dn, "mail", b"x").await.0, Code::NO_SUCH_ATTRIBUTE);
    assert_eq!(app.compare("cn=p1,dc=other", "cn", b"x").await.0, Code::NO_SUCH_OBJECT);
    let expected = (format!("cn=p1,{THERE}"), "owner".to_owned(), format!("cn=x,{THERE}").into_bytes());
    assert_eq!(*upstream.compared.lock().unwrap(), [expected]);
}

#[test]
fn how_much_of_it_a_search_from_above_reaches() {
    let subtree = Subtree {
        connection: ConnectionId::from_uuid(Uuid::from_u128(5)),
        there: Dn::parse(THERE).unwrap(),
        there_text: THERE.to_owned(),
        here: Dn::parse(&format!("ou=floor,{HERE}")).unwrap(),
        here_text: format!("ou=floor,{HERE}"),
    };
    let reached = |base: &str, scope| subtree.reached(&Dn::parse(base).unwrap(), scope);
    for scope in [Scope::Sub, Scope::Subordinate] {
        assert_eq!(reached(BASE, scope), Some(Scope::Sub));
        assert_eq!(reached(HERE, scope), Some(Scope::Sub));
        assert_eq!(reached(&format!("OU=people,{BASE}"), scope), None);
        assert_eq!(reached(&format!("OU=floor,{HERE}"), scope), None, "it begins in there");
        assert_eq!(reached(&format!("cn=x,ou=floor,{HERE}"), scope), None);
    }
    assert_eq!((reached(HERE, Scope::One), reached(BASE, Scope::One)), (Some(Scope::Base), None));
    assert_eq!((reached(HERE, Scope::Base), reached(BASE, Scope::Base)), (None, None));
}

#[test]
fn from_above_it_is_there_for_whom_it_is_there_at_all() {
    let reaches = |upstream: Option<Arc<Upstream>>, settings, as_: &Identity| {
        let (tenant, given, subtree) = world(upstream, settings);
        beyond(&subtree, Scope::Sub, as_, &tenant, &services(&given)).map(|beyond| (beyond.base, beyond.scope))
    };
    let there = || Some(upstream(Vec::new(), 0));
    let based = |base: &str| {
        let mut settings = few();
        settings["base"] = json!(base);
        settings
    };
    let whole = Some((HERE.to_owned(), Scope::Sub));
    assert_eq!(reaches(there(), few(), &by_app(0)), whole);
    assert_eq!(reaches(there(), based(HERE), &by_app(0)), whole);
    assert_eq!(reaches(there(), based(&format!("ou=people,{BASE}")), &by_app(0)), None);
    assert_eq!(reaches(there(), few(), &by_person(1)), None);
    assert_eq!(reaches(None, few(), &by_app(0)), None, "its connection is switched off");
}

#[test]
fn for_whom_it_is_there() {
    let all = || Some(upstream(Vec::new(), 0));
    assert!(opened(all(), few(), &Identity::Anonymous).is_none());
    assert!(opened(all(), few(), &by_person(1)).is_none(), "people read their own entry");
}

#[tokio::test]
async fn a_view_with_a_base_elsewhere_does_not_reach_it() {
    let mut settings = few();
    settings["base"] = json!(format!("ou=people,{BASE}"));
    let app = opened(Some(upstream(Vec::new(), 0)), settings, &by_app(0)).unwrap();
    assert_eq!(searched(&app, asked(HERE, Scope::Sub, "(cn=*)", &[]), 7).await.1.code, Code::NO_SUCH_OBJECT);
}
