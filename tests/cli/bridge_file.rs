//! A bridge file with every mistake that came to mind: all of them in one run, with their lines.

use super::Desk;

const TERRIBLE: &str = r#"version: 2
tenant: []
tenants:
  - slug: Acme
    display_nam: Acme
    domains: [acme.example, "@bad"]
    parent: nobody
    connections:
      - slug: okta
        protocol: samll
      - slug: okta
        protocol: saml
        domains: [other.example]
        idp_metadata: { file: nowhere.xml }
        clock_skew: 9h
        clok_skew: 1s
      - slug: entra
        protocol: radius
        issuer: https://login.example
      - slug: web
        protocol: saml
        enabled: maybe
        idp_metadata: { url: "http://127.0.0.1:1/metadata" }
        mapping: { presets: okta, claims: { email: { form: [mail] } } }
      - protocol: saml
        idp_metadata: { xml: "<html/>" }
        require_signed: never
    clients:
      - client_id: portal
        client_secret: { value: short }
        redirect_uris: ["https://a.example/cb", "http://b.example/cb"]
        redirect_uri: x
        connections: [otka]
      - client_id: 7
        client_secret: hunter2
      - client_id: portal
        client_secret: { env: FEDBRIDGE_TEST_SURELY_UNSET }
        client_secrets: []
      - client_id: third
        client_secret: { stored: clients/third/client_secret/0 }
        claims: { tier: { cel: "'gold' +" }, sub: { value: x } }
    service_providers: [{ slug: wiki, encript: true }]
    ldap_directory: { posx: off }
  - slug: system
    domains: [acme.example]
  - slug: a
    parent: b
  - slug: b
    parent: a
"#;

#[test]
fn a_terrible_file_is_refused_whole() {
    let desk = Desk::new("terrible");
    desk.run(&["apply"], &desk.good);
    let before = desk.plain(&["export"]).out;
    for command in ["plan", "apply", "check"] {
        let got = desk.run(&[command], TERRIBLE);
        assert_eq!((got.code, got.out.as_str()), (2, ""), "{command}");
        assert!(!got.err.contains("hunter2"), "{}", got.err);
        let file = desk.scratch.path().join("bridge.yaml").display().to_string();
        let lines: Vec<&str> = got.err.lines().filter_map(|line| line.strip_prefix(&format!("{file}:"))).collect();
        let numbers: Vec<usize> = lines.iter().map(|line| line.split(':').next().unwrap().parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "{}", got.err);
        let want = [
            "1: version:",
            "2: tenant:",
            "4: tenants[Acme].slug:",
            "5: tenants[Acme].display_nam: unknown key; the nearest known one is `display_name`",
            "6: tenants[Acme].domains[1]:",
            "7: tenants[Acme].parent: there is no tenant `nobody`",
            "10: tenants[Acme].connections[okta].protocol: `samll` is not a protocol; the nearest known one is `saml`",
            "11: tenants[Acme].connections[okta].slug: `okta` is a connection at line 9",
            "13: tenants[Acme].connections[okta].domains:",
            "14: tenants[Acme].connections[okta].idp_metadata.file:",
            "15: tenants[Acme].connections[okta].clock_skew",
            "16: tenants[Acme].connections[okta].clok_skew: unknown key; the nearest known one is `clock_skew`",
            "18: tenants[Acme].connections[entra].protocol: `radius` is not a protocol; known are ldap",
            "22: tenants[Acme].connections[web].enabled:",
            "23: tenants[Acme].connections[web].idp_metadata.url: the metadata can't be fetched",
            "24: tenants[Acme].connections[web].mapping.claims.email.form:",
            "24: tenants[Acme].connections[web].mapping.presets:",
            "25: tenants[Acme].connections[4].slug: missing",
            "26: tenants[Acme].connections[4].idp_metadata",
            "27: tenants[Acme].connections[4].require_signed",
            "30: tenants[Acme].clients[portal].client_secret: the secret has 5 characters",
            "31: tenants[Acme].clients[portal].redirect_uris[1]",
            "32: tenants[Acme].clients[portal].redirect_uri",
            "33: tenants[Acme].clients[portal].connections[0]: the tenant has no connection `otka`; the nearest is `okta`",
            "34: tenants[Acme].clients[1].client_id:",
            "35: tenants[Acme].clients[1].client_secret:",
            "36: tenants[Acme].clients[portal].client_id: `portal` is a client at line 29",
            "38: tenants[Acme].clients[portal].client_secrets:",
            "40: tenants[Acme].clients[third].client_secret: the store has no secret",
            "41: tenants[Acme].clients[third].claims.sub",
            "41: tenants[Acme].clients[third].claims.tier.cel",
            "42: tenants[Acme].service_providers[wiki].encript: unknown key; the nearest known one is `encrypt`",
            "42: tenants[Acme].service_providers[wiki].sp_metadata: is missing",
            "43: tenants[Acme].ldap_directory.posx: unknown key; the nearest known one is `posix`",
            "44: tenants[system].slug:",
            "45: tenants[system].domains:",
            "47: tenants[a].parent:",
            "49: tenants[b].parent:",
        ];
        for want in want {
            assert!(lines.iter().any(|line| line.starts_with(want)), "missing {want} in\n{}", got.err);
        }
        assert!(got.err.contains("mistakes; nothing was changed\n  what to do: "), "{}", got.err);
    }
    assert_eq!(desk.plain(&["export"]).out, before);
}

#[test]
fn serve_ends_before_it_listens_when_the_file_is_bad() {
    let desk = Desk::new("serve-bad");
    let file = desk.scratch.write("bridge.yaml", TERRIBLE);
    let got = desk.plain(&["serve", "--apply", file.to_str().unwrap()]);
    assert_eq!(got.code, 2, "{got:?}");
}

const PUSHING: &str = r#"version: 1
tenants:
  - slug: acme
    display_name: Acme
    domains: [acme.example]
    connections:
      - slug: corp
        protocol: ldap
        flavor: openldap
        urls: ["ldaps://127.0.0.1:1"]
        bind_dn: cn=bridge,dc=acme,dc=example
        bind_password: { value: secret-secret-secret-secret-secret-secret }
        users: { base: "ou=people,dc=acme,dc=example" }
      - slug: hr
        protocol: scim
        profile: entra
        bearer_tokens: [{ value: secret-secret-secret-secret-secret-secret }, { value: another-another-another-another-another }]
        provisions: [corp]
        match: { scim: userName, login: uid }
        unmatched: create
        precedence: { default: login, groups: push }
        guard: { percent: 30 }
"#;

#[test]
fn a_connection_that_pushes_is_kept_as_it_was_written() {
    let desk = Desk::new("pushing");
    let got = desk.run(&["apply"], PUSHING);
    assert_eq!(got.code, 0, "{got:?}");
    let exported = desk.plain(&["export"]).out;
    for part in ["provisions: [corp]", "unmatched: create", "default: login", "percent: 30", "login: uid"] {
        assert!(exported.contains(part), "{part} is missing in\n{exported}");
    }
    let again = desk.run(&["plan"], &exported);
    assert_eq!((again.code, again.out.contains("hr")), (0, false), "{again:?}");
    let checked = desk.plain(&["check"]);
    assert!(checked.out.contains("acme/hr: the directory pushes to "), "{checked:?}");
    assert!(checked.out.contains("acme/hr: logins of corp belong to who is pushed"), "{checked:?}");
}

#[test]
fn who_pushes_whom_is_said_once_and_of_connections_that_are_there() {
    let desk = Desk::new("pushes-whom");
    let wrong = PUSHING.replace("[corp]", "[corpp, hr, corp]").replace("groups: push", "groups: pull")
        + "      - slug: it
        protocol: scim
        bearer_token: { value: secret-secret-secret-secret-secret-secret }
        provisions: [corp]
";
    let got = desk.run(&["plan"], &wrong);
    assert_eq!(got.code, 2, "{got:?}");
    for want in [
        "18: tenants[acme].connections[hr].provisions[0]: the tenant has no connection `corpp`; the nearest is `corp`",
        "18: tenants[acme].connections[hr].provisions[1]: nobody logs in by the connection `hr`",
        "21: tenants[acme].connections[hr].precedence.groups: expected push or login, found `pull`",
        "26: tenants[acme].connections[it].provisions[0]: the people of `corp` are pushed by the connection hr already",
    ] {
        assert!(got.err.contains(want), "missing {want} in\n{}", got.err);
    }
}
