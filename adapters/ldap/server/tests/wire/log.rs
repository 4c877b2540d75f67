//! What is left of an operation: traces and the access log.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use fedbridge_contract::trace::{Outcome, Step};
use fedbridge_ldap_core::{Code, Op};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::client::{Client, Come, sasl, search};
use crate::world::{JANE, JENKINS, World};

/// Keeps each event as one text.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "fedbridge::ldap"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

#[tokio::test]
async fn every_operation_has_one_line_whatever_its_name_holds() {
    let lines = Lines::default();
    let _on = tracing::subscriber::set_default(lines.clone());
    let world = World::new();
    let mut client = Client::come(&world.server, Come::Tls(None));
    client.bind("cn=x\r\nresult=0 object=\"root\",ou=apps,dc=acme", "canary-password").await;
    client.bind(JENKINS, "jenkins-secret").await;
    client.search(search("ou=people\u{2028}\n,dc=acme", "(&(uid=jane)(mail=canary-value))"), &[]).await;
    client.send(Op::Compare { dn: JANE.to_owned(), attribute: "uid".to_owned(), value: "canary-value".into() }).await;
    client.read().await.unwrap();
    client.answer(sasl("PLAIN", format!("\0{JANE}\0canary-password").as_bytes()), &[]).await;
    let lines = lines.0.lock().unwrap().clone();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(lines[4].contains(JANE), "the name of PLAIN: {}", lines[4]);
    for line in &lines {
        assert!(!line.contains(['\n', '\r', '\u{2028}']), "{line}");
        assert!(line.contains("peer=192.0.2.7:50000") && line.contains("result="), "{line}");
        assert!(!line.contains("canary") && !line.contains("secret"), "{line}");
    }
    assert!(lines[0].contains("operation=\"bind\"") && lines[0].contains(r"cn=x\r\nresult=0"), "{}", lines[0]);
    assert!(lines[2].contains("filter=\"(&(uid=?)(mail=?))\"") && lines[2].contains("result=32"), "{}", lines[2]);
}

#[tokio::test]
async fn traces_tell_who_and_how_and_no_value() {
    let world = World::new();
    let mut client = Client::come(&world.server, Come::Tls(None));
    client.bind(JENKINS, "jenkins-secret").await;
    client.bind(JANE, "canary-password").await;
    client.bind(JENKINS, "jenkins-secret").await;
    client.search(search("ou=people,dc=acme", "(&(uid=jane)(mail=canary-value))"), &[]).await;
    client.search(search("cn=code-50,dc=acme", "(uid=canary-value)"), &[]).await;
    let traces = world.state.traces.lock().unwrap();
    let told: Vec<_> = traces.iter().map(|it| (it.kind, it.outcome, it.app.as_deref(), it.person.as_deref())).collect();
    let app = Some("jenkins");
    assert_eq!(
        told,
        [
            ("bind", Outcome::Success, app, None),
            ("bind", Outcome::Refused, app, Some("jane")),
            ("bind", Outcome::Success, app, None),
            ("search", Outcome::Success, app, None),
            ("search", Outcome::Refused, app, None),
        ]
    );
    assert!(traces.iter().all(|it| it.peer == Some("192.0.2.7".parse().unwrap())));
    assert!(
        matches!(&traces[1].steps.steps()[1], Step::Decision { what, .. } if what == "desk"),
        "the desk's own steps"
    );
    let all = format!("{traces:?}");
    assert!(all.contains("(&(uid=?)(mail=?))") && !all.contains("canary") && !all.contains("-secret"), "{all}");
}

#[tokio::test]
async fn what_succeeds_in_thousands_is_traced_now_and_then() {
    let world = World::new();
    let mut client = Client::come(&world.server, Come::Tls(None));
    for _ in 0..60 {
        assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
        client.search(search("ou=people,dc=acme", "(uid=jane)"), &[]).await;
    }
    assert_eq!((world.state.causes("bind").len(), world.state.causes("search").len()), (50, 1));
    world.clock.pass(std::time::Duration::from_secs(1));
    client.search(search("ou=people,dc=acme", "(uid=jane)"), &[]).await;
    assert_eq!(world.state.causes("search").len(), 2);
    let learnt = world.state.learnt.lock().unwrap();
    assert_eq!(
        learnt.iter().filter(|it| *it == "search ou=people,dc=acme (uid=?)  1").count(),
        61,
        "learning sees all"
    );
}
