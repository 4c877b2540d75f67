//! The name of every setting of an LDAP connection, with its help.

use fedbridge_contract::factory::Field;

use super::{BIND_PASSWORD, CLIENT_KEY};

pub const FIELDS: &[Field] = &[
    Field::new("flavor", "generic (default), openldap or active_directory: defaults of a product."),
    Field::new(
        "urls",
        "Servers, as ldaps://host or ldap://host, in the order in which they are asked; { url: …, weight: 2 } shares.",
    ),
    Field::new("srv", "A domain in the place of urls: its SRV records say the servers, all of them below it."),
    Field::new("start_tls", "Begin TLS on ldap:// addresses before anything else is said. Default: false."),
    Field::new("allow_plaintext", "Take ldap:// without TLS, at this machine's own addresses alone. Default: false."),
    Field::new("ca_file", "The CA certificates (PEM) that servers' certificates come from. Default: the system's.").file(),
    Field::new("pins", "SHA-256 of public keys, in base64: one of them must be in the server's chain. Default: any."),
    Field::new("client_cert", "Our certificate (PEM), by which the servers know us (SASL EXTERNAL).").file(),
    Field::new(CLIENT_KEY, "The private key (PEM) of client_cert.").secret(),
    Field::new("bind_dn", "The service account that searches; at Active Directory also as user@domain."),
    Field::new(BIND_PASSWORD, "The service account's password.").secret(),
    Field::new(
        "users",
        "{ base: …, filter: \"(uid={username})\", bind: search, dn: …, domain: …, scope: sub, key: …, attributes: […], \
         name_is: user_name }. filter takes {username}, {local} and {domain}; bind says how a typed name is understood: \
         search (default), template (dn), upn (user@domain) or down_level (DOMAIN\\user); scope is sub or one; key is \
         the attribute that stays with a person; attributes are asked for besides the usual ones (default: all are asked \
         for); name_is is user_name, email or either, for the page.",
    )
    .required(),
    Field::new(
        "groups",
        "{ base: …, nested: true, how: auto, member: [member, uniqueMember, memberUid], as: name, depth: 20, most: 1000, \
         budget: 2s, fail: deny }. how is auto, member_of, matching_rule, token_groups or search; as is name or dn; \
         fail is deny or without: what a login gets whose groups can't be found out. Default: no groups are looked for.",
    ),
    Field::new("referrals", "Hosts that searches may be continued at, over TLS. Default: none."),
    Field::new("timeouts", "{ connect: 3s, tls: 3s, bind: 5s, search: 10s }"),
    Field::new("pool", "Connections to each server: { service: 4, users: 16, idle: 60s, age: 10m }"),
    Field::new("max_pdu", "The longest message that is read, in octets. Default: 10485760."),
    Field::new(
        "state_age",
        "How old what is known of an account may be where only its password is checked. Default: 60s.",
    ),
    Field::new("revalidate", "Look at the person again this often while a session is used; 0s: each time. Default: never."),
    Field::new(
        "revalidate_when_silent",
        "allow (default, at most 24 h after its last answer) or deny: where no server answers then.",
    ),
    Field::new("password_change", "Let people change their password with the old one. Default: false."),
    Field::new(
        "lockout",
        "{ after: 5, forgets: 30m }: the directory locks an account after so many wrong passwords, so fewer are let \
         through. Default: what Active Directory's domain says.",
    ),
    Field::new(
        "sync",
        "{ full: 24h, delta: 1m, method: auto, most_missing: 10 }: read all people. method is auto, usn, dirsync, \
         syncrepl, modify_timestamp or keys; more than most_missing percent missing stops it. Default: people appear \
         when they log in.",
    ),
];
