//! Number 26: servers that give less at a time than is asked for.

use super::{COMPANY, World, more_people};
use crate::support::Scratch;

/// More than two pages of 200.
const PEOPLE: usize = 420;

/// The second one gives no more than 200 without pages either, so RFC 4533 can't be used there.
const LIMITED: [(&str, &str); 2] = [
    ("users size.pr=200", "modify_timestamp"),
    ("users size.soft=200 size.hard=200 size.pr=200 size.prtotal=unlimited", "syncrepl"),
];

#[tokio::test]
async fn a_server_that_caps_its_pages_is_read_whole() {
    let scratch = Scratch::new("ldap-pages");
    let file = scratch.write("more.ldif", &more_people(PEOPLE, 10));
    for (limits, method) in LIMITED {
        let connection = format!("        sync: {{ delta: 1m, method: {method} }}\n");
        let settings = [("SLAPD_LIMITS", limits), ("SLAPD_MORE", file.to_str().unwrap())];
        let world = World::with(&connection, &settings);
        let directory = &world.openldap.directory;
        let page = |size: &str| {
            let pages = format!("pr={size}/noprompt");
            directory.tool("ldapsearch", &["-b", &directory.people, "-E", &pages, "(uid=p*)", "1.1"]).status
        };
        assert_eq!((page("200"), page("201")), (Some(0), Some(11)), "{limits}");

        let said = world.sync(&[]);
        let created = format!(" {} new, 0 changed, 0 ended", PEOPLE + COMPANY);
        assert!(said.contains("everybody was read") && said.contains(&created) && said.contains(" 0 failed"), "{said}");
        let last = format!("p{:05}", PEOPLE - 1);
        world.openldap.change(&format!(
            "dn: {}\nchangetype: modify\nreplace: displayName\ndisplayName: Last\n",
            directory.person(&last)
        ));
        let said = world.sync(&[]);
        assert!(said.contains("what has changed was read") && said.contains(" 0 new, 1 changed, 0 ended"), "{said}");
    }
}
