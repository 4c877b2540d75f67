//! Who may bind, who may not, and what everybody else learns of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use fedbridge_contract::config::LdapDirectory;
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::password::{PasswordWarning, Why};
use fedbridge_contract::services::GateRefusal;
use fedbridge_ldap_core::password_policy::{PASSWORD_POLICY, PolicyAnswer, PolicyError, Warning};
use fedbridge_ldap_core::{Auth, Code, Control, Op};
use fedbridge_ldap_server::Rules;
use tokio::time::Instant;

use crate::client::{Client, Come, bind, sasl, search};
use crate::world::{DEADLINE, JANE, JENKINS, Setting, WIKI, World};

const TLS: Come<'_> = Come::Tls(None);

#[tokio::test]
async fn only_version_three_is_spoken() {
    let world = World::new();
    let mut client = Client::come(&world.server, TLS);
    for version in [0, 1, 2, 4, 127] {
        let auth = Auth::Simple(Bytes::from_static(b"jenkins-secret"));
        assert_eq!(client.code(Op::Bind { version, name: JENKINS.to_owned(), auth }).await, Code::PROTOCOL);
    }
    assert_eq!(client.who().await.as_deref(), Some(""), "nobody is bound");
}

#[tokio::test]
async fn whoever_says_nothing_is_nobody_and_whoever_proves_nothing_is_refused() {
    let world = World::new();
    for come in [Come::Clear, TLS] {
        let mut client = Client::come(&world.server, come);
        assert_eq!(client.bind("", "").await, Code::SUCCESS, "anonymous, in clear too");
        assert_eq!(client.who().await.as_deref(), Some(""));
        assert_eq!(client.bind(JANE, "").await, Code::UNWILLING, "a name without a password");
        assert_eq!(client.bind("", "secret").await, Code::INVALID_CREDENTIALS, "a password without a name");
    }
    let mut client = Client::come(&world.server, TLS);
    assert_eq!(client.bind(JANE, "\0\0").await, Code::INVALID_CREDENTIALS);
    assert_eq!(world.state.asked.load(Ordering::Relaxed), 0, "no upstream has heard of any of them");
}

#[tokio::test]
async fn a_password_needs_tls() {
    let world = World::new();
    let mut client = Client::come(&world.server, Come::Clear);
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::CONFIDENTIALITY_REQUIRED);
    assert_eq!(client.code(sasl("PLAIN", b"\0jane\0jane-secret")).await, Code::CONFIDENTIALITY_REQUIRED);
    let rules = Rules { require_tls: false, ..Rules::default() };
    let world = World::with(Setting { rules, ..Setting::default() });
    let mut client = Client::come(&world.server, Come::Clear);
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS, "where the setting allows it");
}

#[tokio::test]
async fn rebinding_changes_who_it_is() {
    let world = World::new();
    let mut client = Client::come(&world.server, TLS);
    let who = |dn: &str| Some(format!("dn:{dn}"));
    for _ in 0..3 {
        assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
        assert_eq!(client.who().await, who(JENKINS));
        assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS);
        assert_eq!(client.who().await, who(JANE));
        assert_eq!(client.bind(JANE, "wrong").await, Code::INVALID_CREDENTIALS);
        assert_eq!(client.who().await.as_deref(), Some(""), "a bind that fails leaves nobody");
        assert_eq!(client.bind(WIKI, "wiki-secret").await, Code::SUCCESS);
        assert_eq!(client.who().await, who(WIKI));
        assert_eq!(client.bind("", "").await, Code::SUCCESS);
        assert_eq!(client.who().await.as_deref(), Some(""));
    }
}

#[tokio::test]
async fn a_person_comes_by_way_of_the_app_whose_connection_it_is() {
    let world = World::with(Setting { directory: |it| it.bind_cache = Duration::ZERO, ..Setting::default() });
    let mut client = Client::come(&world.server, TLS);
    let apps = || {
        let traces = world.state.traces.lock().unwrap();
        traces.iter().map(|trace| trace.app.clone().unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS);
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    assert_eq!(client.bind(JANE, "wrong").await, Code::INVALID_CREDENTIALS);
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS);
    assert_eq!(client.bind("", "").await, Code::SUCCESS);
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS, "whoever was nobody has no app");
    assert_eq!(apps(), ["", "jenkins", "jenkins", "jenkins", ""]);
}

/// Without the app there is nothing left of what it kept people to: its groups, and which passwords it takes.
#[tokio::test]
async fn nobody_comes_by_way_of_an_app_that_is_gone() {
    let world = World::new();
    let mut client = Client::come(&world.server, TLS);
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS);
    let asked = world.state.asked.load(Ordering::Relaxed);
    world.state.apps_are_gone.store(true, Ordering::Relaxed);
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::INVALID_CREDENTIALS);
    assert_eq!(world.state.asked.load(Ordering::Relaxed), asked);
    assert_eq!(world.state.causes("bind").last().map(String::as_str), Some("the app whose connection it is is gone"));
}

#[tokio::test]
async fn every_failure_is_answered_alike_and_at_the_deadline() {
    let world = World::new();
    let mut answers = Vec::new();
    for (name, password) in [
        (JANE, "wrong"),
        ("uid=disabled,ou=people,dc=acme", "disabled-secret"),
        ("uid=federated,ou=people,dc=acme", "federated-secret"),
        ("uid=nobody,ou=people,dc=acme", "x"),
        (JENKINS, "wrong"),
        (JANE, "\0"),
        ("dc=acme", "x"),
    ] {
        let mut client = Client::come(&world.server, TLS);
        let began = Instant::now();
        let (result, _) = client.answer(bind(name, password), &[]).await;
        let took = began.elapsed();
        assert!(took >= DEADLINE && took < DEADLINE * 2, "{name}: {took:?}");
        assert_eq!(result.code, Code::INVALID_CREDENTIALS, "{name}");
        answers.push(result);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let causes = world.state.causes("bind");
    assert_eq!(causes[..2], ["the password is wrong", "the person is disabled"], "the trace knows more");
}

#[tokio::test]
async fn a_slow_upstream_moves_the_answer_by_whole_deadlines() {
    let world = World::new();
    *world.state.upstream_takes.lock().unwrap() = DEADLINE + DEADLINE / 2;
    let took = async |name: &str| {
        let mut client = Client::come(&world.server, TLS);
        let began = Instant::now();
        assert_eq!(client.bind(name, "wrong").await, Code::INVALID_CREDENTIALS);
        began.elapsed()
    };
    let slow = took(JANE).await;
    assert!(slow >= DEADLINE * 2 && slow < DEADLINE * 3, "{slow:?}");
    let alike = took("uid=disabled,ou=people,dc=acme").await;
    assert!(
        alike >= DEADLINE * 2 && alike < DEADLINE * 3,
        "nobody is asked about them, and it takes as long: {alike:?}"
    );
}

#[tokio::test]
async fn a_name_of_nobodys_tenant_fails_like_any_other() {
    let world = World::new();
    for (name, come) in [
        ("uid=jane,ou=people,dc=elsewhere", TLS),
        ("jane", TLS),
        (JANE, Come::Tls(Some("beta.example"))),
        ("uid=jane,ou=people,dc=beta", Come::Tls(Some("acme.example"))),
    ] {
        let mut client = Client::come(&world.server, come);
        assert_eq!(client.bind(name, "jane-secret").await, Code::INVALID_CREDENTIALS, "{name} {come:?}");
    }
    assert_eq!(world.state.asked.load(Ordering::Relaxed), 0);
    let mut client = Client::come(&world.server, Come::Tls(Some("acme.example")));
    assert_eq!(client.bind("jane", "jane-secret").await, Code::SUCCESS, "SNI says whose jane");
    assert_eq!(client.who().await, Some(format!("dn:{JANE}")));
    assert_eq!(client.bind("uid=x,=", "y").await, Code::INVALID_DN);
}

#[tokio::test]
async fn nobody_crosses_from_one_tenant_to_another() {
    let world = World::new();
    let mut client = Client::come(&world.server, TLS);
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    let beta = "cn=jenkins,ou=apps,dc=beta";
    assert_eq!(client.bind(beta, "jenkins-secret").await, Code::SUCCESS);
    assert_eq!(client.who().await, Some(format!("dn:{beta}")), "a rebind is a new beginning");
    let (entries, result, _) = client.search(search("dc=gone,dc=acme", "(uid=jane)"), &[]).await;
    assert_eq!((entries.len(), result.code), (0, Code::NO_SUCH_OBJECT));
}

#[tokio::test]
async fn a_right_password_is_remembered_and_dies_with_the_person() {
    let world = World::new();
    let mut client = Client::come(&world.server, TLS);
    let asked = || world.state.asked.load(Ordering::Relaxed);
    for _ in 0..3 {
        assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS);
    }
    assert_eq!((asked(), world.state.still.load(Ordering::Relaxed)), (1, 2));
    assert_eq!(client.bind(JANE, "jane-secreT").await, Code::INVALID_CREDENTIALS);
    assert_eq!(asked(), 2, "another password is another question");

    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS);
    assert_eq!(asked(), 3, "another app is another question");

    *world.state.refusal.lock().unwrap() = Some(GateRefusal::ConnectionDisabled);
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::INVALID_CREDENTIALS, "the gate has the last word");
    *world.state.refusal.lock().unwrap() = None;

    world.state.epoch.store(7, Ordering::Relaxed);
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS);
    assert_eq!(asked(), 4, "a kill of anything makes it be asked again");

    world.clock.pass(Duration::from_secs(31));
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS);
    assert_eq!(asked(), 5, "its time was over");

    world.state.turn("jane", |jane| jane.disabled = true);
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::INVALID_CREDENTIALS, "at once");
}

#[tokio::test]
async fn nothing_is_remembered_where_the_tenant_says_so() {
    let world = World::with(Setting { directory: |it| it.bind_cache = Duration::ZERO, ..Setting::default() });
    let mut client = Client::come(&world.server, TLS);
    for _ in 0..3 {
        assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS);
    }
    assert_eq!(world.state.asked.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn whoever_is_bound_falls_with_what_they_hang_on() {
    let world = World::new();
    let look = || search("ou=people,dc=acme", "(uid=jane)");
    let bound = async || {
        let mut client = Client::come(&world.server, TLS);
        assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS);
        assert_eq!(client.search(look(), &[]).await.1.code, Code::SUCCESS);
        client
    };
    let mut client = bound().await;
    world.state.turn("jane", |jane| jane.epoch = Epoch(1));
    client.send(Op::Search(look())).await;
    assert_eq!(client.farewell().await, Some(Code::STRONGER_AUTH_REQUIRED), "killed");

    world.state.turn("jane", |jane| jane.epoch = Epoch(0));
    let mut client = bound().await;
    world.state.turn("jane", |jane| jane.disabled = true);
    client
        .send(Op::Compare { dn: JANE.to_owned(), attribute: "uid".to_owned(), value: Bytes::from_static(b"jane") })
        .await;
    assert_eq!(client.farewell().await, Some(Code::STRONGER_AUTH_REQUIRED), "disabled");

    world.state.turn("jane", |jane| jane.disabled = false);
    let mut client = bound().await;
    *world.state.refusal.lock().unwrap() = Some(GateRefusal::Unsure);
    assert_eq!(client.search(look(), &[]).await.1.code, Code::UNAVAILABLE, "nobody knows");
    *world.state.refusal.lock().unwrap() = None;
    assert_eq!(client.search(look(), &[]).await.1.code, Code::SUCCESS, "and it goes on");
    world.state.people.lock().unwrap().clear();
    assert_eq!(client.who().await, None, "deleted");
}

#[tokio::test]
async fn somebody_new_is_there_when_the_bind_is_answered() {
    let world = World::new();
    let mut client = Client::come(&world.server, TLS);
    assert_eq!(client.bind("uid=newcomer,ou=people,dc=acme", "newcomer-secret").await, Code::SUCCESS);
    assert_eq!(client.who().await.as_deref(), Some("dn:uid=newcomer,ou=people,dc=acme"));
}

#[tokio::test]
async fn an_upstream_that_is_down_is_no_wrong_password() {
    let world = World::new();
    let mut client = Client::come(&world.server, TLS);
    assert_eq!(client.bind("uid=busy,ou=people,dc=acme", "x").await, Code::BUSY);
    assert_eq!(client.bind("uid=down,ou=people,dc=acme", "x").await, Code::UNAVAILABLE);
}

#[tokio::test]
async fn sasl_takes_plain_and_external() {
    let world = World::new();
    let mut client = Client::come(&world.server, Come::Tls(Some("acme.example")));
    assert_eq!(client.code(sasl("PLAIN", b"\0jane\0jane-secret")).await, Code::SUCCESS);
    assert_eq!(client.who().await, Some(format!("dn:{JANE}")));
    assert_eq!(client.code(sasl("plain", format!("\0{JENKINS}\0jenkins-secret").as_bytes())).await, Code::SUCCESS);
    assert_eq!(
        client.code(sasl("PLAIN", b"jenkins\0jane\0jane-secret")).await,
        Code::INVALID_CREDENTIALS,
        "as another"
    );
    assert_eq!(client.who().await.as_deref(), Some(""));
    for mechanism in ["GSSAPI", "DIGEST-MD5", "", "PLAIN "] {
        assert_eq!(client.code(sasl(mechanism, b"")).await, Code::AUTH_METHOD_NOT_SUPPORTED, "{mechanism}");
    }
    assert_eq!(client.code(sasl("EXTERNAL", b"")).await, Code::INAPPROPRIATE_AUTH, "without a certificate");
    let auth = Auth::Other(0x81);
    assert_eq!(client.code(Op::Bind { version: 3, name: String::new(), auth }).await, Code::AUTH_METHOD_NOT_SUPPORTED);
}

#[tokio::test]
async fn a_certificate_says_which_app_it_is() {
    let world = World::new();
    for (name, code, who) in
        [("Acme, Inc.", Code::SUCCESS, format!("dn:{JENKINS}")), ("Acme", Code::INVALID_CREDENTIALS, String::new())]
    {
        let mut facts = crate::client::facts(TLS);
        facts.client_certificate = Some(certificate(name).into());
        let mut client = Client::with(&world.server, facts);
        assert_eq!(client.code(sasl("EXTERNAL", b"dn:uid=jane,ou=people,dc=acme")).await, Code::INVALID_CREDENTIALS);
        assert_eq!(client.who().await.as_deref(), Some(""), "nor anybody else than it is");
        assert_eq!(client.code(sasl("EXTERNAL", b"")).await, code, "{name}");
        assert_eq!(client.who().await, Some(who));
    }
    *world.state.refusal.lock().unwrap() = Some(GateRefusal::AppDisabled);
    let mut facts = crate::client::facts(TLS);
    facts.client_certificate = Some(certificate("Acme, Inc.").into());
    let mut client = Client::with(&world.server, facts);
    assert_eq!(client.code(sasl("EXTERNAL", b"")).await, Code::INVALID_CREDENTIALS, "the gate says no");
}

/// The subject `O=…, CN=app`.
fn certificate(organization: &str) -> Vec<u8> {
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = openssl::pkey::PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = openssl::x509::X509Name::builder().unwrap();
    name.append_entry_by_text("O", organization).unwrap();
    name.append_entry_by_text("CN", "app").unwrap();
    let mut builder = openssl::x509::X509Builder::new().unwrap();
    builder.set_subject_name(&name.build()).unwrap();
    builder.set_not_before(&openssl::asn1::Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&openssl::asn1::Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.sign(&key, openssl::hash::MessageDigest::sha256()).unwrap();
    builder.build().to_der().unwrap()
}

#[tokio::test]
async fn a_client_that_asks_for_the_policy_hears_that_there_is_nothing_to_say() {
    let world = World::new();
    let mut client = Client::come(&world.server, TLS);
    for critical in [true, false] {
        let (result, answers) =
            client.answer(bind(JANE, "jane-secret"), &[Control::new(PASSWORD_POLICY, critical)]).await;
        assert_eq!((result.code, answers.len()), (Code::SUCCESS, 1));
        assert_eq!(answers[0].value.as_deref(), Some(&[0x30, 0][..]));
    }
}

/// What a bind hears of the policy, and its code.
async fn policy(client: &mut Client, password: &str) -> (Code, PolicyAnswer) {
    let asks = [Control::new(PASSWORD_POLICY, false)];
    let (result, answers) = client.answer(bind(JANE, password), &asks).await;
    assert_eq!(answers.len(), 1);
    (result.code, PolicyAnswer::read(&answers[0]).unwrap())
}

#[tokio::test]
async fn what_the_upstream_s_policy_says_is_passed_on_to_who_asks() {
    let world = World::new();
    let mut client = Client::come(&world.server, TLS);
    for (said, heard) in [
        (PasswordWarning::ExpiresIn { seconds: 3600 }, Warning::Expires(3600)),
        (PasswordWarning::ExpiresIn { seconds: 1 << 40 }, Warning::Expires(u32::MAX)),
        (PasswordWarning::GraceLogins { left: 2 }, Warning::GraceLogins(2)),
    ] {
        *world.state.warns.lock().unwrap() = Some(said);
        world.state.turn("jane", |jane| jane.changed = jane.changed + Duration::from_secs(1));
        let answer = (Code::SUCCESS, PolicyAnswer { warning: Some(heard), error: None });
        assert_eq!(policy(&mut client, "jane-secret").await, answer);
        assert_eq!(policy(&mut client, "jane-secret").await, answer, "a yes that is remembered says it too");
        assert_eq!(client.answer(bind(JANE, "jane-secret"), &[]).await.1, [], "who does not ask hears nothing");
    }
    let silent = (Code::INVALID_CREDENTIALS, PolicyAnswer::default());
    assert_eq!(policy(&mut client, "wrong").await, silent);
}

#[tokio::test]
async fn why_a_right_password_does_not_do_is_for_who_knows_it() {
    let world = World::new();
    let mut client = Client::come(&world.server, TLS);
    for (reason, heard) in [
        (Why::PasswordExpired, Some(PolicyError::PasswordExpired)),
        (Why::Disabled, Some(PolicyError::AccountLocked)),
        (Why::Expired, Some(PolicyError::AccountLocked)),
        (Why::Hours, None),
        (Why::Locked, None),
        (Why::Wrong, None),
    ] {
        *world.state.bars.lock().unwrap() = Some(reason);
        let began = Instant::now();
        let (code, answer) = policy(&mut client, "jane-secret").await;
        assert!(began.elapsed() >= DEADLINE, "as any other no");
        assert_eq!(
            (code, answer),
            (Code::INVALID_CREDENTIALS, PolicyAnswer { warning: None, error: heard }),
            "{reason:?}"
        );
        assert_eq!(policy(&mut client, "wrong").await.1, PolicyAnswer::default());
    }
    assert!(world.state.causes("bind").contains(&"barred: Disabled".to_owned()), "the trace says why");
}

#[tokio::test]
async fn a_tenant_has_so_many_connections() {
    let world = World::with(Setting { directory: |it| it.max_connections = 2, ..Setting::default() });
    let come = || Client::come(&world.server, TLS);
    let (mut first, mut second, mut third) = (come(), come(), come());
    assert_eq!(first.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    let mut guesser = come();
    for _ in 0..3 {
        assert_eq!(guesser.bind(JANE, "wrong").await, Code::INVALID_CREDENTIALS, "it takes no place");
    }
    assert_eq!(second.bind(JANE, "jane-secret").await, Code::SUCCESS);
    assert_eq!(third.bind(JANE, "jane-secret").await, Code::BUSY);
    assert_eq!(third.bind("cn=wiki,ou=apps,dc=beta", "wiki-secret").await, Code::SUCCESS, "another tenant has room");
    assert_eq!(first.bind("", "").await, Code::SUCCESS);
    assert_eq!(third.bind(JANE, "jane-secret").await, Code::SUCCESS, "whoever is nobody takes none");
}

#[tokio::test]
async fn who_knows_no_password_holds_no_place_while_the_answer_waits() {
    let directory: fn(&mut LdapDirectory) =
        |it| (it.max_connections, it.failure_deadline) = (1, Duration::from_secs(2));
    let world = World::with(Setting { directory, ..Setting::default() });
    let mut guessers: Vec<_> = (0..5).map(|_| Client::come(&world.server, TLS)).collect();
    for guesser in &mut guessers {
        guesser.send(bind(JANE, "wrong")).await;
    }
    while world.state.asked.load(Ordering::Relaxed) < 5 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let began = Instant::now();
    let mut app = Client::come(&world.server, TLS);
    assert_eq!(app.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    let mut other = Client::come(&world.server, TLS);
    assert_eq!(other.bind(WIKI, "wiki-secret").await, Code::BUSY, "the one place is taken");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(guessers[0].is_silent(Duration::from_millis(10)).await, "the guesses wait for their deadline");
}
