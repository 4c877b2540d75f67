//! Where the fuzzer starts: inputs as they should be, in many shapes.

use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use fedbridge_ldap_core::control::{ASSERTION, DirSync, MANAGE_DSA_IT, PagedResults, SortKey};
use fedbridge_ldap_core::extended::{PasswordModify, START_TLS, WHO_AM_I, cancel, notice_of_disconnection};
use fedbridge_ldap_core::message::Change;
use fedbridge_ldap_core::password_policy::{PolicyAnswer, PolicyError, Warning};
use fedbridge_ldap_core::sync::{self, Mode, SYNC_INFO, SYNC_STATE};
use fedbridge_ldap_core::{Auth, Code, Control, Done, Entry, Filter, LdapResult, Message, Op, Scope, Search, Write};

use crate::house::{ALICE, APP, BASE, PASSWORD};

const FILTERS: &[&str] = &[
    "(uid=alice)",
    "(&(objectClass=inetOrgPerson)(|(uid={username})(mail={username}@acme.example)))\n*)(uid=*",
    "(!(cn=A*b*c))",
    "(cn=*\\2a*)\nAlice  Smith",
    "(&)",
    "(|(uidNumber>=1000)(uidNumber<=-5)(createTimestamp>=20261122101112Z))\n100",
    "(cn:dn:caseExactMatch:=Fred)",
    "(userAccountControl:1.2.840.113556.1.4.803:=2)\n514",
    "(memberOf:1.2.840.113556.1.4.1941:=cn=a\\2cb,dc=x)",
    "(entryUUID=597ae2f6-16a6-1027-98f4-d28b5365dc14)",
    "(uniqueMember=cn=a#'01'B)\nCN=A#'01'B",
    "(objectGUID=\\2a\\28\\00\\5c)",
    "(telephoneNumber=+49 30 1-2*)\n+49301234",
    " (&\n(cn~=x)(userCertificate;binary=*) )",
    "((((",
];

const NAMES: &[&str] = &[
    "uid=alice,ou=people,dc=acme,dc=example\nou=people, DC=acme,DC=Example",
    "CN=James \\\"Jim\\\" Smith\\, III+uid=x,DC=net",
    "cn=a\\20b\\ ,1.3.6.1.4.1.1466.0=#04024869",
    "OID.2.5.4.3=Lu\\C4\\8Di\\C4\\87",
    " cn = \u{c4}lice \u{df}\u{fb01} ",
    "entryUUID=597ae2f6-16a6-1027-98f4-d28b5365dc14,createTimestamp=20261122101112.5+0100",
    "S-1-5-21-2127521184-1604012920-1887927527-1064",
    "20261122101112.25-0530",
    "597ae2f6-16a6-1027-98f4-d28b5365dc14",
    "member;lang-en;range=1500-2999",
    "\u{1d400}\u{130}\u{131} \u{308}\u{a0}\u{345}",
];

/// Writes the seeds of a target into the folder that `FUZZ_SEEDS` names; without it, nothing.
///
/// # Panics
/// The folder can't be written.
pub fn write(target: &str, make: fn() -> Vec<Vec<u8>>) {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).expect("the folder of the seeds can be made");
    for (at, octets) in make().into_iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{target}-{at:02}")), octets).expect("a seed can be written");
    }
}

/// One of every operation, alone and with every control.
pub fn messages() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for op in operations() {
        for controls in [Vec::new(), controls()] {
            let mut octets = BytesMut::new();
            Message { id: 7, op: op.clone(), controls }.write(&mut octets);
            found.push(octets.to_vec());
        }
    }
    // Several at once, one of them not whole.
    let several = found.iter().take(8).flatten().copied().collect::<Vec<_>>();
    found.push(several[..several.len() - 3].to_vec());
    found.extend(controls().into_iter().filter_map(|control| control.value).map(|value| value.to_vec()));
    found
}

/// Messages as an app or a person may send them, after an octet that says who it is.
pub fn conversations() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let requests: Vec<_> = requests()
        .into_iter()
        .map(|(op, controls)| {
            let mut octets = BytesMut::new();
            Message { id: 7, op, controls }.write(&mut octets);
            octets.to_vec()
        })
        .collect();
    for how in [0, 4, 5, 6, 7, 13] {
        found.extend(requests.iter().map(|octets| [&[how], &octets[..]].concat()));
    }
    let all: Vec<_> = requests.into_iter().flatten().collect();
    found.extend([0, 5, 6, 7, 13].map(|how| [&[how], &all[..]].concat()));
    found
}

pub fn filters() -> Vec<Vec<u8>> {
    let octets = FILTERS.iter().filter_map(|text| Filter::parse(text.lines().next()?).ok());
    let octets: Vec<_> = octets.map(|filter| filter.encode().to_vec()).collect();
    FILTERS.iter().map(|text| text.as_bytes().to_vec()).chain(octets).collect()
}

pub fn names() -> Vec<Vec<u8>> {
    NAMES.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn operations() -> Vec<Op> {
    let text = |text: &str| text.to_owned();
    let result = LdapResult {
        code: Code::REFERRAL,
        matched: text("dc=x"),
        text: text("80090308: LdapErr: DSID-0C09044E, comment: x, data 52e, v4563\0"),
        referral: vec![text("ldap://x/")],
    };
    let filter =
        Filter::parse("(&(objectClass=person)(|(uid=a)(cn=a*b*c)(!(x:dn:2.5.13.2:=y))(n>=1)(m=*)))").expect("a filter");
    let attributes = vec![text("cn"), text("*"), text("+")];
    let base = text("dc=acme");
    let entry = Entry {
        dn: text("uid=a"),
        attributes: vec![(text("objectSid"), vec![Bytes::from_static(b"\x01\x01\0\0\0\0\0\x05\x01\0\0\0")])],
    };
    let bind = |auth| Op::Bind { version: 3, name: "uid=a".to_owned(), auth };
    let password = || Some(Bytes::from_static(b"secret"));
    let modify = PasswordModify { user: Some(Bytes::from_static(b"uid=a")), old: password(), new: password() };
    vec![
        bind(Auth::Simple(Bytes::from_static(b"secret"))),
        bind(Auth::Sasl { mechanism: text("PLAIN"), credentials: Some(Bytes::from_static(b"\0a\0b")) }),
        Op::Search(Search {
            base,
            scope: Scope::Sub,
            aliases: 0,
            size: 10,
            time: 30,
            types_only: false,
            filter,
            attributes,
        }),
        Op::Compare { dn: text("cn=g"), attribute: text("member"), value: Bytes::from_static(b"uid=a") },
        Op::Abandon(3),
        Op::Unbind,
        Op::Extended { oid: text(START_TLS), value: None },
        modify.op(),
        cancel(5),
        Op::modify("uid=a", &[Change::Replace("mail", &[b"a@b"])]),
        Op::Write { kind: Write::Delete, dn: text("uid=a"), body: Bytes::from_static(b"uid=a") },
        Op::BindDone { result: result.clone(), sasl: Some(Bytes::new()) },
        Op::Entry(entry),
        Op::Reference(vec![text("ldap://x/")]),
        Op::Done { of: Done::Search, result },
        notice_of_disconnection(Code::UNAVAILABLE, "bye").op,
        Op::Intermediate {
            oid: Some(text(SYNC_INFO)),
            value: Some(Bytes::from_static(b"\xa3\x17\x01\x01\xff\x31\x12\x04\x100123456789abcdef")),
        },
    ]
}

fn requests() -> Vec<(Op, Vec<Control>)> {
    let search = |base: &str, scope, filter: &str, attributes: &[&str]| {
        let filter = Filter::parse(filter).expect("a filter");
        let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
        let base = base.to_owned();
        Op::Search(Search { base, scope, aliases: 0, size: 0, time: 0, types_only: false, filter, attributes })
    };
    let member =
        Op::Compare { dn: format!("cn=hidden,ou=groups,{BASE}"), attribute: "member".to_owned(), value: ALICE.into() };
    let paged = || vec![PagedResults { size: 3, cookie: Bytes::new() }.control(true)];
    let everything = "(&(objectClass=*)(!(employeeNumber>=1))(|(uid=a*)(mail=*@acme.example)(employeeNumber=sesame1)))";
    vec![
        (search("", Scope::Base, "(objectClass=*)", &["*", "+"]), Vec::new()),
        (search("cn=Subschema", Scope::Base, "(objectClass=subschema)", &["+"]), Vec::new()),
        (search(BASE, Scope::Sub, everything, &[]), Vec::new()),
        (
            search(
                BASE,
                Scope::Sub,
                "(memberOf:1.2.840.113556.1.4.1941:=cn=hidden,ou=groups,dc=acme,dc=example)",
                &["1.1"],
            ),
            Vec::new(),
        ),
        (
            search(
                &format!("ou=people,{BASE}"),
                Scope::One,
                "(telephoneNumber=*)",
                &["uid", "memberOf", "telephoneNumber"],
            ),
            paged(),
        ),
        (search(&format!("ou=groups,{BASE}"), Scope::Subordinate, "(member=*)", &["member", "+"]), controls()),
        (search(ALICE, Scope::Base, "(uidNumber:1.2.840.113556.1.4.803:=1000)", &["*", "+"]), Vec::new()),
        (member, Vec::new()),
        (
            Op::Bind {
                version: 3,
                name: ALICE.to_owned(),
                auth: Auth::Simple(Bytes::from_static(PASSWORD.as_bytes())),
            },
            Vec::new(),
        ),
        (Op::Bind { version: 3, name: APP.to_owned(), auth: Auth::Simple(Bytes::new()) }, Vec::new()),
        (
            Op::Bind {
                version: 3,
                name: String::new(),
                auth: Auth::Sasl {
                    mechanism: "PLAIN".to_owned(),
                    credentials: Some(Bytes::from_static(b"\0alice\0right")),
                },
            },
            Vec::new(),
        ),
        (Op::Extended { oid: START_TLS.to_owned(), value: None }, Vec::new()),
        (Op::Extended { oid: WHO_AM_I.to_owned(), value: None }, Vec::new()),
        (
            PasswordModify {
                user: None,
                old: Some(Bytes::from_static(PASSWORD.as_bytes())),
                new: Some(Bytes::from_static(b"new")),
            }
            .op(),
            Vec::new(),
        ),
        (cancel(7), Vec::new()),
        (Op::Abandon(7), Vec::new()),
        (Op::modify(ALICE, &[Change::Replace("mail", &[b"a@b"])]), Vec::new()),
        (Op::Write { kind: Write::Delete, dn: ALICE.to_owned(), body: ALICE.into() }, Vec::new()),
    ]
}

fn controls() -> Vec<Control> {
    let keys = [SortKey { attribute: "cn".to_owned(), rule: Some("2.5.13.3".to_owned()), is_reverse: true }];
    let policy = PolicyAnswer { warning: Some(Warning::Expires(60)), error: Some(PolicyError::AccountLocked) };
    let cookie = Bytes::from_static(b"cookie");
    let state = Bytes::from_static(b"\x30\x18\x0a\x01\x03\x04\x100123456789abcdef\x04\x01c");
    vec![
        Control::new(MANAGE_DSA_IT, true),
        PagedResults { size: 1000, cookie: cookie.clone() }.control(true),
        SortKey::control(&keys, true),
        DirSync { flags: 1, most: 1 << 20, cookie }.control(),
        policy.control(),
        sync::request(Mode::RefreshOnly, Some(b"c")),
        Control::with_value(SYNC_STATE, false, state),
        Control::with_value(ASSERTION, true, Filter::Present("cn".to_owned()).encode()),
    ]
}
