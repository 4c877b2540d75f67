//! Numbers 1 to 6: nothing secret goes where it should not.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::services::Services;
use fedbridge_contract::testkit::Hands;
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::{Code, LdapResult, Op};
use openssl::ssl::SslVersion;

use super::super::*;
use super::support::*;

const HOST: &str = "dc1.ad.test";
const LIMIT: Duration = Duration::from_secs(5);

async fn refusal(settings: Settings) -> WireError {
    let upstream = open(settings);
    let error = upstream.bind("uid=u", &password(b"right"), None, LIMIT).await.err().unwrap();
    assert_eq!(upstream.service().await.err().map(|it| matches!(it, WireError::AllDown(_))), Some(true));
    error
}

/// 1: in clear to this machine alone.
#[test]
fn a_password_crosses_no_network_in_clear() {
    for host in ["10.0.0.5", "dc1.ad.test", "localhost", "::2", "0.0.0.0"] {
        let servers = vec![ServerAddress { host: host.to_owned(), port: 389, weight: 1 }];
        let servers = Where::Listed { servers, order: Order::AsListed };
        let refused = Upstream::open(Settings { servers, ..settings(&[]) }, &services(&Arc::default())).err();
        assert_eq!(refused, Some(SettingsError::ClearToElsewhere(host.to_owned())));
    }
}

/// 1: a server without TLS, where TLS is asked for.
#[tokio::test]
async fn a_server_in_clear_gets_nothing() {
    let directory = Directory::clear(ordinary()).await;
    let ca = Authority::new();
    let limits = Timeouts { tls: Duration::from_millis(300), ..Timeouts::default() };
    let error = refusal(Settings { timeouts: limits, ..secure(HOST, directory.port, &ca) }).await;
    assert!(matches!(error, WireError::Insecure { .. } | WireError::TimedOut { stage: Stage::Tls, .. }), "{error}");
    assert_eq!(directory.log.lock().unwrap().requests.len(), 0);
}

/// 2: without a yes there is nothing but the question.
#[tokio::test]
async fn start_tls_that_is_refused_ends_it() {
    let ca = Authority::new();
    let no = |code| Op::ExtendedDone { result: LdapResult::new(code, "no"), oid: None, value: None };
    type Answer = Box<dyn Fn() -> Vec<Act> + Send + Sync>;
    let answers: [Answer; 5] = [
        Box::new(move || vec![Act::Say(no(Code::PROTOCOL))]),
        Box::new(move || vec![Act::Say(no(Code::UNAVAILABLE))]),
        Box::new(|| vec![Act::Close]),
        Box::new(|| vec![Act::Say(bound(Code::SUCCESS, ""))]),
        Box::new(|| vec![Act::Raw(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())]),
    ];
    for answer in answers {
        let directory = Directory::clear(but(move |_, _| Some(answer()))).await;
        let settings = Settings { encryption: Encryption::StartTls, ..secure(HOST, directory.port, &ca) };
        let error = refusal(settings).await;
        assert!(matches!(error, WireError::Insecure { .. } | WireError::Lost { .. }), "{error}");
        assert_eq!((directory.binds(), directory.log.lock().unwrap().requests.len()), (0, 1), "{error}");
    }
}

/// 3: what comes in clear behind the yes is never taken for an answer.
#[tokio::test]
async fn octets_in_clear_behind_the_yes_end_it() {
    let ca = Authority::new();
    for pause in [0, 50] {
        let acceptor = ca.acceptor(&[HOST], &[]);
        let behaviour = but(move |_, message| {
            let Op::Extended { .. } = message.op else { return None };
            let injected = octets(2, bound(Code::SUCCESS, ""), Vec::new());
            let together = [octets(message.id, yes(), Vec::new()), injected.clone()].concat();
            Some(match pause {
                0 => vec![Act::Raw(together), Act::BeginTls],
                _ => vec![Act::Say(yes()), Act::Pause(Duration::from_millis(pause)), Act::Raw(injected), Act::BeginTls],
            })
        });
        let directory = Directory::start(Some((acceptor, false)), behaviour).await;
        let settings = Settings { encryption: Encryption::StartTls, ..secure(HOST, directory.port, &ca) };
        let error = refusal(settings).await;
        assert!(matches!(&error, WireError::Insecure { .. }), "{error}");
        assert_eq!(pause == 0, error.to_string().contains("in clear"), "{error}");
        assert_eq!(directory.binds(), 0);
    }
}

#[tokio::test]
async fn tls_works_from_the_first_octet_and_later() {
    let ca = Authority::new();
    for encryption in [Encryption::Tls, Encryption::StartTls] {
        let acceptor = ca.acceptor(&["*.ad.test"], &[]);
        let directory = Directory::start(Some((acceptor, encryption == Encryption::Tls)), ordinary()).await;
        let upstream = open(Settings { encryption, ..secure(HOST, directory.port, &ca) });
        let result = upstream.bind("uid=u", &password(b"right"), None, LIMIT).await.unwrap();
        assert_eq!((result.code, result.server), (Code::SUCCESS, format!("{HOST}:{}", directory.port)));
        assert_eq!(asked_by(&upstream.search_all(&search()).await.unwrap()), SERVICE);
        let report = upstream.examine().await.unwrap().remove(0);
        let certificate = report.certificate.unwrap();
        assert_eq!((certificate.names, certificate.issuer.as_str()), (vec!["*.ad.test".to_owned()], "Test CA"));
        let now = i64::try_from(openssl_now()).unwrap();
        let days = (certificate.not_after.unwrap().seconds() - now) / 86_400;
        assert!((29..=30).contains(&days), "{days}");
        assert_eq!(report.root.unwrap().text("vendorname"), Some("test"));
    }
}

/// The clock of the certificates.
fn openssl_now() -> u64 {
    let epoch = openssl::asn1::Asn1Time::from_unix(0).unwrap();
    let since = epoch.diff(&openssl::asn1::Asn1Time::days_from_now(0).unwrap()).unwrap();
    u64::try_from(i64::from(since.days) * 86_400 + i64::from(since.secs)).unwrap()
}

/// 4: the name that was configured, among the certificate's names, of an issuer that was configured.
#[tokio::test]
async fn a_certificate_of_somebody_else_will_not_do() {
    let (ca, other) = (Authority::new(), Authority::new());
    let common_name_only = shown(&ca.issue(HOST, &[], &[]), |_| {});
    for (acceptor, word) in [
        (
            ca.acceptor(&["dc2.ad.test", "ldap.test"], &["127.0.0.1"]),
            "dc2.ad.test, ldap.test, 127.0.0.1, and not for dc1",
        ),
        (ca.acceptor(&["*.test"], &[]), "*.test, and not for dc1"),
        (ca.acceptor(&["dc*.ad.test"], &[]), "and not for dc1"),
        (common_name_only, "a common name does not count"),
        (other.acceptor(&[HOST], &[]), "issued by Test CA"),
        (shown(&ca.expired(HOST), |_| {}), "certificate has expired"),
    ] {
        let directory = Directory::start(Some((acceptor, true)), ordinary()).await;
        let error = refusal(secure(HOST, directory.port, &ca)).await;
        assert!(matches!(&error, WireError::Insecure { .. }) && error.to_string().contains(word), "{error}");
        assert_eq!(directory.log.lock().unwrap().requests.len(), 0);
        let report = open(secure(HOST, directory.port, &ca)).examine().await.unwrap().remove(0);
        assert!(report.root.is_err() && report.certificate.is_some(), "the certificate is shown all the same");
    }
    // One by the system's CAs alone is none of ours either: nobody there has issued this.
    let directory = Directory::start(Some((ca.acceptor(&[HOST], &[]), true)), ordinary()).await;
    let system = Settings { tls: TlsSettings::default(), ..secure(HOST, directory.port, &ca) };
    assert!(matches!(refusal(system).await, WireError::Insecure { .. }));
}

/// 4: an address is checked as an address.
#[tokio::test]
async fn an_address_is_a_name_too() {
    let ca = Authority::new();
    let directory = Directory::start(Some((ca.acceptor(&[], &["127.0.0.1"]), true)), ordinary()).await;
    assert!(open(secure("127.0.0.1", directory.port, &ca)).service().await.is_ok());
    let directory = Directory::start(Some((ca.acceptor(&["127.0.0.1"], &["127.0.0.2"]), true)), ordinary()).await;
    assert!(matches!(refusal(secure("127.0.0.1", directory.port, &ca)).await, WireError::Insecure { .. }));
}

/// 4: a pin must match besides the chain.
#[tokio::test]
async fn pins_are_asked_besides_the_chain() {
    let ca = Authority::new();
    let issued = ca.issue("a server", &[HOST], &[]);
    let pin = issued.pin().unwrap();
    let directory = Directory::start(Some((shown(&issued, |_| {}), true)), ordinary()).await;
    let with = |pins: &[[u8; 32]], ca: Option<String>| {
        let tls = TlsSettings { ca, pins: pins.to_vec(), client: None };
        Settings { tls, ..secure(HOST, directory.port, &Authority::new()) }
    };
    assert!(open(with(&[[0; 32], pin], Some(ca.pem()))).service().await.is_ok());
    let error = refusal(with(&[[0; 32]], Some(ca.pem()))).await;
    assert!(error.to_string().contains("`pins`"), "{error}");
    let error = refusal(with(&[pin], None)).await;
    assert!(matches!(error, WireError::Insecure { .. }), "a pin is no issuer: {error}");
}

/// 5: TLS 1.2 at least.
#[tokio::test]
async fn old_versions_of_tls_will_not_do() {
    let ca = Authority::new();
    let issued = ca.issue("a server", &[HOST], &[]);
    let up_to = |most| {
        shown(&issued, |builder| {
            builder.set_security_level(0);
            builder.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
            builder.set_min_proto_version(Some(SslVersion::TLS1)).unwrap();
            builder.set_max_proto_version(Some(most)).unwrap();
        })
    };
    let directory = Directory::start(Some((up_to(SslVersion::TLS1_1), true)), ordinary()).await;
    assert!(matches!(refusal(secure(HOST, directory.port, &ca)).await, WireError::Insecure { .. }));
    let directory = Directory::start(Some((up_to(SslVersion::TLS1_2), true)), ordinary()).await;
    assert!(open(secure(HOST, directory.port, &ca)).service().await.is_ok());
}

/// 5: a certificate of ours, and SASL EXTERNAL.
#[tokio::test]
async fn a_certificate_of_our_own_says_who_we_are() {
    let ca = Authority::new();
    let issued = ca.issue("a server", &[HOST], &[]);
    let acceptor = shown(&issued, |builder| ca.asks_for_certificates(builder));
    let directory = Directory::start(Some((acceptor, true)), ordinary()).await;
    let own = ca.issue("the bridge", &[], &[]);
    let client = (own.pem().unwrap(), own.key_pem().unwrap());
    let with = |client: Option<(String, String)>| {
        let base = secure(HOST, directory.port, &ca);
        Settings { tls: TlsSettings { client, ..base.tls.clone() }, account: Account::External, ..base }
    };
    assert!(open(with(Some(client.clone()))).search_all(&search()).await.is_ok());
    assert_eq!(directory.binds(), 1);
    let none = Upstream::open(with(None), &services(&Arc::default())).err();
    assert_eq!(none, Some(SettingsError::ExternalWithoutCertificate));
    let anonymous = Settings { account: Account::Anonymous, ..with(None) };
    assert!(open(anonymous).search_all(&search()).await.is_err(), "the server asks for a certificate");
    let mixed = (client.0, ca.issue("the bridge", &[], &[]).key_pem().unwrap());
    let mixed = Upstream::open(with(Some(mixed)), &services(&Arc::default())).err();
    assert!(matches!(mixed, Some(SettingsError::ClientCertificate(_))), "{mixed:?}");
}

/// 6: a service account that is refused is not tried again and again.
#[tokio::test]
async fn a_refused_account_is_left_alone_for_a_while() {
    let text = "80090346: LdapErr: DSID-0C090711, comment: AcceptSecurityContext error, data 80090346, v4563\0";
    let behaviour = but(move |_, message| match &message.op {
        Op::Bind { name, .. } if name == SERVICE => Some(vec![Act::Say(bound(Code::INVALID_CREDENTIALS, text))]),
        _ => None,
    });
    let (one, two) = (Directory::clear(Arc::clone(&behaviour)).await, Directory::clear(behaviour).await);
    let upstream = open(settings(&[one.port, two.port]));
    for _ in 0..5 {
        let error = upstream.search_all(&search()).await.err().unwrap();
        assert!(matches!(&error, WireError::AccountRefused { code: 49, .. }), "{error}");
        assert!(error.to_string().contains("channel binding"), "{error}");
    }
    assert_eq!((one.binds(), two.binds()), (1, 0), "each try counts towards its lock-out");
    assert!(upstream.bind("uid=u", &password(b"right"), None, LIMIT).await.is_ok(), "people are not kept out by it");
    // Half an hour in which somebody asks each second.
    let hands = Hands::at(Timestamp::from_seconds(0));
    let services = Services { clock: Arc::clone(&hands) as _, ..services(&Arc::default()) };
    let upstream = Upstream::open(settings(&[one.port]), &services).unwrap();
    let before = (one.binds(), one.connections());
    for _ in 0..1800 {
        hands.pass(Duration::from_secs(1));
        assert!(upstream.service().await.is_err());
    }
    let (binds, connections) = (one.binds() - before.0, one.connections() - before.1);
    assert!((3..10).contains(&binds) && connections < 20, "{binds} binds, {connections} connections");
}
