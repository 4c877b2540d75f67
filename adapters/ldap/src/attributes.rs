//! What is asked for of a person's entry, and what of it goes on as attributes: each name with a list of texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::identity::Attributes;
use fedbridge_contract::trace::TraceLog;
use fedbridge_ldap_core::attribute::Description;
use fedbridge_ldap_core::value::sid::Sid;
use fedbridge_ldap_core::value::uuid;

use crate::directory::Trouble;
use crate::groups::Group;
use crate::settings::{Groups, How, Settings, ShownAs};
use crate::wire::Entry;

/// Our own: the names of the person's groups, or their DNs, as `groups.as` says.
pub const GROUP_NAME: &str = "groupName";
/// RFC 5020; given whether the directory has it or not.
pub const ENTRY_DN: &str = "entryDN";

/// Values that a person may have at most, and octets of one that is no text. A photograph belongs in no session.
const MOST_VALUES: usize = 10_000;
const MOST_OCTETS: usize = 16 * 1024;

/// What proves somebody, or could: it leaves this adapter on no road. An administrator's account may read it.
const SECRET: &[&str] = &[
    "userPassword",
    "authPassword",
    "unicodePwd",
    "dBCSPwd",
    "lmPwdHistory",
    "ntPwdHistory",
    "pwdHistory",
    "supplementalCredentials",
    "sambaNTPassword",
    "sambaLMPassword",
    "sambaPasswordHistory",
    "ipaNTHash",
    "krbPrincipalKey",
    "krbPwdHistory",
    "ms-Mcs-AdmPwd",
    "msLAPS-Password",
    "msLAPS-EncryptedPassword",
    "msLAPS-EncryptedPasswordHistory",
    "msDS-ManagedPassword",
    "unixUserPassword",
    "userPKCS12",
    "privateKey",
];

/// Octets with a form of their own.
const GUIDS: &[&str] = &["objectGUID"];
const SIDS: &[&str] =
    &["objectSid", "sIDHistory", "tokenGroups", "tokenGroupsGlobalAndUniversal", "tokenGroupsNoGCAcceptable"];

/// What is asked for: where the connection names what it needs besides the usual, that and no more; else everything.
pub fn wanted(settings: &Settings) -> Vec<String> {
    let flavor = settings.flavor;
    let mut names: Vec<&str> = Vec::new();
    if settings.users.attributes.is_empty() {
        // Operational attributes come by name alone (RFC 4511 section 4.5.1.8).
        names.extend(["*"].iter().chain(flavor.operational).chain(flavor.membership));
    } else {
        names.extend(flavor.usual);
    }
    names.extend(settings.users.attributes.iter().map(String::as_str));
    names.extend(settings.users.keys.iter().map(String::as_str));
    names.extend(flavor.state);
    if let Some(groups) = &settings.groups {
        names.extend(for_groups(groups, flavor.membership, flavor.primary_group));
    }
    let mut wanted: Vec<String> = Vec::new();
    for name in names {
        if !wanted.iter().any(|there| there.eq_ignore_ascii_case(name)) {
            wanted.push(name.to_owned());
        }
    }
    wanted
}

/// What groups are found by.
fn for_groups(groups: &Groups, membership: &'static [&'static str], primary: bool) -> Vec<&'static str> {
    let mut names = Vec::new();
    if matches!(groups.how, How::Automatic | How::MemberOf) {
        names.extend(membership);
    }
    if matches!(groups.how, How::Automatic | How::Search) {
        names.extend(["uid", "x500UniqueIdentifier"]);
    }
    if primary {
        names.extend(["objectSid", "primaryGroupID"]);
    }
    names
}

/// The attributes of an entry, with what was found out about its groups.
///
/// # Errors
/// There are more values than anybody needs: which of them were left out could decide what somebody may do.
pub fn of(
    settings: &Settings,
    entry: &Entry,
    groups: Option<&[Group]>,
    trace: &mut TraceLog,
) -> Result<Attributes, Trouble> {
    let mut attributes = Attributes::ignoring_case();
    let mut left_out = Vec::new();
    let mut count = 0;
    for (description, values) in &entry.attributes {
        let parsed = Description::of(description);
        // A server that has no schema for it sends the OID.
        let name = if parsed.base.contains('.') {
            parsed.known().map_or(parsed.base, |known| known.name())
        } else {
            parsed.base
        };
        if is_secret(name) || is_ours(name) {
            continue;
        }
        let options = &description[parsed.base.len()..];
        if !attributes.contains(name) {
            attributes.declare(name);
        }
        for text in texts(name, values) {
            let Some(text) = text else {
                left_out.push(description.as_str());
                continue;
            };
            count += 1;
            if count > MOST_VALUES {
                return Err(Trouble(format!("{} has more than {MOST_VALUES} values", entry.dn)));
            }
            // An attribute's type stands for those with options too (RFC 4512 section 2.5.2).
            if !options.is_empty() {
                attributes.push(format!("{name}{options}"), text.clone());
            }
            attributes.push(name, text);
        }
    }
    attributes.push(ENTRY_DN, entry.dn.clone());
    if let (Some(found), Some(groups)) = (groups, &settings.groups) {
        attributes.declare(GROUP_NAME);
        for group in found {
            let shown = match groups.shown {
                ShownAs::Name => &group.name,
                ShownAs::Dn => &group.dn,
            };
            attributes.push(GROUP_NAME, shown.clone());
        }
    }
    if !left_out.is_empty() {
        left_out.dedup();
        let most = MOST_OCTETS / 1024;
        trace.decide("attributes", format!("left out, over {most} KiB: {}", left_out.join(" ")), true);
    }
    Ok(attributes)
}

/// The values as texts: all of one attribute in the same form. `None` stands for one that is too long.
fn texts(name: &str, values: &[Vec<u8>]) -> Vec<Option<String>> {
    let among = |list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(name));
    if among(GUIDS) {
        let text = |value: &Vec<u8>| uuid::guid_to_text(value).unwrap_or_else(|| STANDARD.encode(value));
        return values.iter().map(|value| Some(text(value))).collect();
    }
    if among(SIDS) {
        let text =
            |value: &Vec<u8>| Sid::from_octets(value).map_or_else(|| STANDARD.encode(value), |sid| sid.to_string());
        return values.iter().map(|value| Some(text(value))).collect();
    }
    let plain = |value: &Vec<u8>| {
        std::str::from_utf8(value).is_ok_and(|text| !text.contains(|c: char| c.is_control() && !"\t\r\n".contains(c)))
    };
    let binary = !values.iter().all(plain);
    let texts = values.iter().map(|value| match value.len() > MOST_OCTETS {
        true => None,
        false if binary => Some(STANDARD.encode(value)),
        false => std::str::from_utf8(value).ok().map(str::to_owned),
    });
    texts.collect()
}

pub(crate) fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|secret| secret.eq_ignore_ascii_case(name))
}

/// Nobody who can write into the directory may say what we say.
fn is_ours(name: &str) -> bool {
    [GROUP_NAME, ENTRY_DN].iter().any(|ours| ours.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(settings: serde_json::Value) -> Settings {
        let secrets = [("bind_password".to_owned(), b"secret".to_vec())].into();
        Settings::parse(&settings, &secrets).map(|(settings, _)| settings).unwrap()
    }

    fn openldap() -> Settings {
        settings(json!({
            "flavor": "openldap", "urls": ["ldaps://ldap.example"], "bind_dn": "cn=bridge,dc=acme",
            "users": { "base": "ou=people,dc=acme" }, "groups": { "base": "ou=groups,dc=acme" },
        }))
    }

    fn made(entry: &[(&str, &[&[u8]])]) -> Attributes {
        let attributes = entry
            .iter()
            .map(|(name, values)| ((*name).to_owned(), values.iter().map(|value| value.to_vec()).collect()));
        let entry = Entry { dn: "uid=a,ou=people,dc=acme".to_owned(), attributes: attributes.collect() };
        of(&openldap(), &entry, Some(&[]), &mut TraceLog::new()).unwrap()
    }

    #[test]
    fn options_belong_to_their_attribute() {
        let made = made(&[("MAIL;lang-en", &[b"a@acme"]), ("mail", &[b"b@acme"]), ("sn", &[])]);
        assert_eq!(made.get("mail"), ["a@acme", "b@acme"]);
        assert_eq!(made.get("mail;lang-en"), ["a@acme"]);
        assert!(made.contains("SN") && made.get("sn").is_empty(), "it came without values");
        assert!(!made.contains("cn"), "it did not come");
    }

    #[test]
    fn octets_are_texts_of_one_form() {
        let guid = b"\x2a\x28\x00\x29\x5c\x00\x11\x42\x80\x01\x02\x03\x04\x05\x06\x07";
        let sid = b"\x01\x02\0\0\0\0\0\x05\x20\0\0\0\x20\x02\0\0";
        let made = made(&[
            ("objectguid", &[guid]),
            ("objectSid", &[sid]),
            ("userCertificate;binary", &[b"\x30\x00"]),
            ("mixed", &[b"text", b"\xff"]),
            ("description", &["Z\u{fc}rich\nline".as_bytes()]),
            ("jpegPhoto", &[&[0xff; MOST_OCTETS + 1]]),
        ]);
        assert_eq!(made.get("objectGUID"), ["2900282a-005c-4211-8001-020304050607"]);
        assert_eq!(made.get("objectSid"), ["S-1-5-32-544"]);
        assert_eq!(made.get("userCertificate"), ["MAA="]);
        assert_eq!(made.get("userCertificate;binary"), ["MAA="]);
        assert_eq!(made.get("mixed"), ["dGV4dA==", "/w=="], "one form for all values");
        assert_eq!(made.get("description"), ["Z\u{fc}rich\nline"]);
        assert!(made.get("jpegPhoto").is_empty());
    }

    #[test]
    fn oids_are_known_by_their_names() {
        assert_eq!(made(&[("0.9.2342.19200300.100.1.3", &[b"a@acme"])]).get("mail"), ["a@acme"]);
        assert_eq!(made(&[("1.2.3.4", &[b"x"])]).get("1.2.3.4"), ["x"], "one that nobody knows stays");
    }

    #[test]
    fn secrets_and_forgeries_stay_behind() {
        let made = made(&[
            ("userPassword", &[b"{SSHA}x"]),
            ("UNICODEPWD", &[b"x"]),
            ("groupname", &[b"admins"]),
            ("entryDN", &[b"cn=admin"]),
            ("2.5.4.35", &[b"{SSHA}x"]),
        ]);
        assert_eq!(made.names().collect::<Vec<_>>(), ["entryDN", "groupName"]);
        assert_eq!(made.get("entryDN"), ["uid=a,ou=people,dc=acme"]);
        assert!(made.get("groupName").is_empty());
    }

    #[test]
    fn what_is_needed_is_asked_for() {
        assert_eq!(wanted(&openldap())[..2], ["*", "createTimestamp"]);
        let mut named = openldap();
        named.users.attributes = vec!["employeeType".to_owned(), "MAIL".to_owned()];
        let asked = wanted(&named);
        for name in
            ["mail", "employeeType", "entryUUID", "pwdAccountLockedTime", "memberOf", "uid", "x500UniqueIdentifier"]
        {
            assert_eq!(asked.iter().filter(|asked| asked.eq_ignore_ascii_case(name)).count(), 1, "{name}: {asked:?}");
        }
        assert!(!asked.iter().any(|asked| asked == "*"), "{asked:?}");
    }
}
