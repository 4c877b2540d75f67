#![allow(clippy::unwrap_used)]
use super::*;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A file for one test, which goes with it.
struct File(PathBuf);

impl std::ops::Deref for File {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn file(name: &str, text: &str) -> File {
    let path = std::env::temp_dir().join(format!("fedbridge-settings-{}-{name}.toml", std::process::id()));
    std::fs::write(&path, text).unwrap();
    File(path)
}

fn lines(result: Result<Settings, Complaints>) -> Vec<String> {
    result.unwrap_err().sorted().iter().map(ToString::to_string).collect()
}

#[test]
fn the_defaults_are_those_of_the_interface() {
    let settings = Settings::read(None, [], &[]).unwrap();
    assert_eq!(settings.base_url, "http://127.0.0.1:8080");
    assert_eq!(settings.http.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(settings.http.tls, None);
    assert_eq!(settings.management_listen, "127.0.0.1:9090".parse().unwrap());
    assert_eq!(settings.database_url.sqlite_path(), Some(Path::new("data/fedbridge.db")));
    assert_eq!(settings.master_key, MasterKeySource::File("data/master.key".into()));
    assert!(!settings.egress_allow_loopback);
    assert_eq!(settings.egress_bounds, Bounds { per_partner: 8, whole: 256 });
    let (poll, lease) = (Duration::from_millis(50), Duration::from_secs(1));
    assert_eq!(settings.revocation, RevocationSettings { poll, lease, notify: true });
    assert_eq!((settings.failures_per_ip.count, settings.failures_per_account.count), (60, 10));
    assert_eq!(settings.traces_keep, Duration::from_secs(30 * 86_400));
    assert_eq!((settings.log_format, settings.log_level.as_str()), (None, "info"));
}

#[test]
fn the_later_source_wins() {
    let path = file(
        "order",
        "base_url = \"https://file.example\"\n[http]\nlisten = \"127.0.0.1:1\"\n[traces]\nkeep = \"1d\"\n",
    );
    let vars = env(&[("FEDBRIDGE_HTTP_LISTEN", "127.0.0.1:2"), ("FEDBRIDGE_TRACES_KEEP", "2d"), ("FEDBRIDGE_LOG", "")]);
    let flags = [FlagValue { key: "traces.keep", value: "3d".into() }];
    let settings = Settings::read(Some(&path), vars, &flags).unwrap();
    assert_eq!(settings.base_url, "https://file.example");
    assert_eq!(settings.http.listen.port(), 2);
    assert_eq!(settings.traces_keep, Duration::from_secs(3 * 86_400));
}

#[test]
fn every_mistake_comes_at_once_with_its_line() {
    let path = file(
        "bad",
        "base_ulr = \"x\"\nbase_url = \"http://bridge.example/app\"\n\n[http]\nlisten = \"nowhere\"\nlisten_on = \"a\"\ntls_cert = \"a.pem\"\ntrusted_proxies = [\"10.0.0.0/8\", \"10.0.0.0/99\"]\n[egress]\nallow_loopback = \"true\"\n[traces]\nkeep = 30\n[log]\nformat = \"xml\"\n[databse]\nurl = \"x\"\n",
    );
    let vars = env(&[("FEDBRIDGE_DATABASE_URL", "mysql://x"), ("FEDBRIDGE_MASTER_KEY", "c2hvcnQ=")]);
    let got = lines(Settings::read(Some(&path), vars, &[]));
    let file = path.display();
    let want = [
        format!("{file}:1: base_ulr: unknown setting; the nearest known one is `base_url`"),
        format!("{file}:2: base_url: `http://bridge.example/app` is plain http"),
        format!("{file}:5: http.listen: `nowhere` is not an address to listen on"),
        format!("{file}:6: http.listen_on: unknown setting; the nearest known one is `http.listen`"),
        format!("{file}:7: http.tls_cert: `http.tls_key` is missing"),
        format!("{file}:8: http.trusted_proxies: `10.0.0.0/99` is neither"),
        format!("{file}:10: egress.allow_loopback: expected true or false"),
        format!("{file}:12: traces.keep: expected text in quotes, found a number"),
        format!("{file}:14: log.format: `xml` is not a log format"),
        format!("{file}:16: databse.url: unknown setting; the nearest known one is `database.url`"),
        "environment variable FEDBRIDGE_DATABASE_URL: database.url: expected sqlite://".to_owned(),
        "environment variable FEDBRIDGE_MASTER_KEY: master_key: expected 32 octets".to_owned(),
    ];
    assert_eq!(got.len(), want.len(), "{got:#?}");
    for want in want {
        assert!(got.iter().any(|line| line.starts_with(&want)), "missing {want} in {got:#?}");
    }
}

#[test]
fn calls_are_counted_in_numbers() {
    let path = file("counts", "[egress]\nmax_per_partner = 3\n");
    let bounds = |vars| Settings::read(Some(&path), env(vars), &[]).map(|settings| settings.egress_bounds);
    assert_eq!(bounds(&[("FEDBRIDGE_EGRESS_MAX", "9")]).unwrap(), Bounds { per_partner: 3, whole: 9 });
    for (wrong, want) in [
        ("2", "egress.max: one partner may have 3 calls"),
        ("0", "egress.max: expected a number from 1 to 10000"),
        ("many", "egress.max: expected a number from 1 to 10000"),
    ] {
        let got = lines(Settings::read(Some(&path), env(&[("FEDBRIDGE_EGRESS_MAX", wrong)]), &[]));
        assert!(got.len() == 1 && got[0].contains(want), "{got:?}");
    }
    let path = file("counts-typed", "[egress]\nmax = \"9\"\n");
    assert!(lines(Settings::read(Some(&path), [], &[]))[0].contains("egress.max: expected a number"));
}

#[test]
fn the_base_address_stands_alone() {
    for good in [
        "https://login.example",
        "https://login.example/",
        "http://localhost:8080",
        "http://[::1]:80",
        "http://127.0.0.9",
    ] {
        assert!(base_url(good).is_ok(), "{good}");
    }
    assert_eq!(base_url("https://login.example/").unwrap(), "https://login.example");
    for bad in [
        "login.example",
        "http://login.example",
        "https://login.example/x",
        "https://login.example?x",
        "https://u@x.example",
        "ftp://x",
    ] {
        assert!(base_url(bad).is_err(), "{bad}");
    }
}

#[test]
fn secrets_do_not_print() {
    let key = base64::engine::general_purpose::STANDARD.encode([7; 32]);
    let vars = env(&[("FEDBRIDGE_MASTER_KEY", &key), ("FEDBRIDGE_DATABASE_URL", "postgres://me:hunter2@db/x")]);
    let settings = Settings::read(None, vars, &[]).unwrap();
    assert_eq!(settings.master_key, MasterKeySource::Given([7; 32]));
    let printed = format!("{settings:?}");
    assert!(!printed.contains("hunter2") && !printed.contains(&key), "{printed}");
}

#[test]
fn a_flag_for_the_key_file_beats_the_key_of_the_environment() {
    let key = base64::engine::general_purpose::STANDARD.encode([7; 32]);
    let flags = [FlagValue { key: "master_key_file", value: "other.key".into() }];
    let settings = Settings::read(None, env(&[("FEDBRIDGE_MASTER_KEY", &key)]), &flags).unwrap();
    assert_eq!(settings.master_key, MasterKeySource::File("other.key".into()));
}

#[test]
fn a_mistyped_variable_warns_and_a_foreign_one_is_left_alone() {
    let vars = env(&[("FEDBRIDGE_BASE_ULR", "x"), ("FEDBRIDGE_SERVICE_HOST", "10.0.0.1")]);
    let settings = Settings::read(None, vars, &[]).unwrap();
    assert_eq!(settings.warnings.len(), 1);
    assert!(settings.warnings[0].contains("FEDBRIDGE_BASE_URL"));
}

#[test]
fn a_syntax_error_names_its_line() {
    let path = file("syntax", "base_url = \"https://x.example\"\n[http\nlisten = 1\n");
    let got = lines(Settings::read(Some(&path), [], &[]));
    assert!(got[0].starts_with(&format!("{}:2: ", path.display())), "{got:?}");
}

#[test]
fn a_lease_holds_four_polls() {
    let read = |poll: &str, lease: &str| {
        let vars = [("FEDBRIDGE_REVOCATION_POLL", poll), ("FEDBRIDGE_REVOCATION_LEASE", lease)];
        Settings::read(None, env(&vars), &[])
    };
    assert_eq!(read("100ms", "400ms").unwrap().revocation.lease, Duration::from_millis(400));
    let place = "environment variable FEDBRIDGE_REVOCATION_LEASE: revocation.lease";
    assert_eq!(
        lines(read("100ms", "399ms")),
        [format!("{place}: the lease of 399ms is shorter than four polls of 100ms each")]
    );
    assert_eq!(lines(read("", "61s")), [format!("{place}: `61s` is out of bounds; write a duration from 40ms to 60s")]);
    let place = "environment variable FEDBRIDGE_REVOCATION_POLL: revocation.poll";
    assert_eq!(lines(read("9ms", "")), [format!("{place}: `9ms` is out of bounds; write a duration from 10ms to 1s")]);
    // The poll alone was given: it is what does not fit.
    let got = lines(read("500ms", ""));
    assert!(got[0].starts_with("environment variable FEDBRIDGE_REVOCATION_POLL: "), "{got:?}");
}

#[test]
fn ldap_listeners_hang_together() {
    let read = |vars: &[(&str, &str)]| Settings::read(None, env(vars), &[]).map(|settings| settings.ldap);
    assert!(!read(&[]).unwrap().listens());
    let proxies = [("FEDBRIDGE_LDAP_TRUSTED_PROXIES", "10.0.0.0/8"), ("FEDBRIDGE_LDAP_IDLE", "1m")];
    let settings = read(&proxies).unwrap();
    assert_eq!(
        (settings.trusted_proxies.len(), settings.idle, settings.require_tls),
        (1, Duration::from_secs(60), true)
    );
    for (vars, want) in [
        (&[("FEDBRIDGE_LDAP_TLS_LISTEN", "127.0.0.1:636")][..], "a TLS listener needs `ldap.tls_cert`"),
        (&[("FEDBRIDGE_LDAP_TLS_CERT", "a.pem")], "`ldap.tls_key` is missing"),
        (&[("FEDBRIDGE_LDAP_CLIENT_CA", "a.pem")], "client certificates need TLS"),
        (&[("FEDBRIDGE_LDAP_MAX_CONNECTIONS", "0")], "expected a number from 1"),
        (
            &[("FEDBRIDGE_LDAP_LISTEN", "0.0.0.0:389"), ("FEDBRIDGE_LDAP_REQUIRE_TLS", "false")],
            "passwords in clear are taken on a loopback listener only",
        ),
    ] {
        let found = lines(Settings::read(None, env(vars), &[]));
        assert!(found.len() == 1 && found[0].contains(want), "{want}: {found:?}");
    }
}
