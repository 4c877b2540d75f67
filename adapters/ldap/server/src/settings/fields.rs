//! The settings of an LDAP app with their help.

use fedbridge_contract::factory::Field;

pub const FIELDS: &[Field] = &[
    Field::new(
        "attributes",
        "What the app may read, as LDAP calls it. Default: uid, cn, mail. userPassword is never given out.",
    ),
    Field::new(
        "filter_attributes",
        "What the app may search by; anything else is as if no entry had it. Default: its attributes, objectClass and \
         what identifies an entry.",
    ),
    Field::new("base", "The DN below which the app sees anything. Default: the tenant's base DN."),
    Field::new("people", "Only members of these groups are visible to the app. Default: everybody."),
    Field::new("visible_groups", "The groups that the app sees. Default: all."),
    Field::new(
        "passwords",
        "What a person may bind with by way of this app: upstream (the password of a connection), app_password, \
         otp_suffix (the password, a comma and a code). Default: upstream and app_password.",
    ),
    Field::new(
        "learn",
        "Whether the shapes of what the app asks are recorded, without values, for `fedbridge ldap learned`; meanwhile \
         it may read everything but passwords. true, false, or the last day of it. Default: false.",
    ),
    Field::new(
        "limits",
        "{ size: 5000, time: 30s }: entries and time of one search. Default, and the most: those of the directory.",
    ),
    Field::new(
        "client_certificate",
        "The subject DN of a client certificate that the app proves itself with (SASL EXTERNAL) instead of a password.",
    ),
];

pub const DIRECTORY_FIELDS: &[Field] = &[
    Field::new("base_dn", "The DN of its topmost entry. Default: dc=SLUG,dc=fedbridge."),
    Field::new(
        "password_connections",
        "Slugs of the LDAP connections that check the passwords of binds, in the order in which they are asked. \
         Default: none, so that people bind with app passwords alone.",
    ),
    Field::new(
        "posix",
        "Where the numbers of posixAccount come from: allocate (each person gets one, once), upstream (the claims \
         uid_number and gid_number) or off. Default: off.",
    ),
    Field::new("people_may_read", "What a person who is bound may read: self or all. Default: self."),
    Field::new("password_modify", "Whether people may change their password over LDAP. Default: false."),
    Field::new(
        "pass_through",
        "Subtrees of an upstream that are served as they are: [{ connection: corp-ad, base: \"ou=printers,dc=ad\", at: \
         ou=printers }], with their place below the base DN. A search of a whole tree above asks the upstream, too; where \
         it does not answer, the search gives what is here and ends with unavailable (52). Default: none.",
    ),
    Field::new(
        "schema",
        "How a posixGroup names its members: rfc2307bis (member) or rfc2307 (memberUid). Default: rfc2307bis.",
    ),
    Field::new("private_groups", "Whether each person has a group of their own. Default: false."),
    Field::new("uid_range", "The lowest and the highest number that is allocated. Default: [100000, 999999]."),
    Field::new(
        "rdn",
        "What a person's DN begins with: uid, or entryUUID, which stays when the person is renamed. Default: uid.",
    ),
    Field::new("server_names", "Names that clients of this tenant connect to (SNI). Default: none."),
    Field::new(
        "failure_deadline",
        "When a failed bind is answered, whatever the reason, or the next multiple of it. Default: 400ms. A name that lies \
         below nobody's base is refused after 400ms, so another deadline tells that this base is somebody's.",
    ),
    Field::new("bind_cache", "How long a right password is remembered: 60s at most, or off. Default: 30s."),
    Field::new(
        "limits",
        "{ size: 5000, time: 30s, connections: 1000, memory: 268435456 } are the defaults: entries and time of one \
         search, connections of all clients together, and the octets of people's entries that each node keeps in memory \
         (about 700 for a person). Of people beyond them only the keys stay there (uid, cn, displayName, mail, \
         employeeNumber, numbers and groups), and everything else is read from the database when a search needs it.",
    ),
];
