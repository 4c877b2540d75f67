//! Filters, with OpenLDAP as the oracle: it is given what our directory shows, and both are asked the same.

mod deviations;
mod filters;
mod people;

use std::collections::BTreeMap;

use crate::support::Scratch;
use crate::support::ldap::company::{BASE, Company, Wanted};
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::tools::{Directory, Found};
use filters::{Filters, Random};
use people::{FOLDED, PEOPLE, people};

/// Each makes [`FILTERS`] of them, the same ones each time. `FILTER_SEED` and `FILTER_COUNT` ask for others.
const SEEDS: [u64; 4] = [1, 2, 3, 4];
const FILTERS: usize = 1_000;

/// It may search by attributes that nobody has, too. Of those that it may not search by nothing can be told: these are
/// undefined, as the ones that the server does not know (RFC 4511 section 4.5.1.7).
const APP: &str = "        - slug: oracle
          bind_password: { value: oracle-password-oracle-password-oracle }
          attributes: [uid, cn, sn, givenName, displayName, mail, memberOf, member, uniqueMember, memberUid, uidNumber,
            gidNumber, homeDirectory, loginShell, gecos, description, ou, dc, roomNumber, shadowMin, manager, telexNumber]
";

#[tokio::test]
async fn filters_find_what_openldap_finds() {
    let both = Both::start().await;
    let of = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = of("FILTER_SEED").map_or_else(|| SEEDS.to_vec(), |seed| vec![seed]);
    let count = of("FILTER_COUNT").map_or(FILTERS, |count| usize::try_from(count).unwrap());
    let values = both.values();
    for seed in seeds {
        let mut filters = Filters::new(&values, Random::new(seed));
        let asked: String = (0..count).map(|_| filters.one() + "\n").collect();
        let oracle = &both.oracle.directory;
        let told = both.ours.script(
            "oracle",
            &[
                ("ORACLE_URL", &oracle.url),
                ("ORACLE_CA", oracle.ca.to_str().unwrap()),
                ("ORACLE_BIND_DN", &both.admin),
                ("ORACLE_BIND_PASSWORD", "admin-password"),
                ("ORACLE_LEFT_OUT", &format!("uid={FOLDED}")),
            ],
            &asked,
        );
        assert_eq!(told["asked"], count, "{told:#}");
        assert!(told["found_something"].as_u64().unwrap() > count as u64 / 10, "the filters ask for nothing: {told:#}");
        assert_eq!(told["different"], 0, "FILTER_SEED={seed}: {told:#}");
    }
}

/// Two servers with the same entries.
struct Both {
    /// As the app [`APP`].
    ours: Directory,
    oracle: OpenLdap,
    /// Who may read everything there.
    admin: String,
    entries: Vec<Found>,
    _company: Company,
}

impl Both {
    async fn start() -> Self {
        let scratch = Scratch::new("oracle");
        let more = scratch.write("more.ldif", &people());
        let openldap = OpenLdap::start(scratch.path(), &[("SLAPD_MORE", more.to_str().unwrap())]);
        let company = Company::before(scratch, openldap, Wanted { apps: APP, ..Wanted::default() }).await;
        company.knows(&format!("p{}", PEOPLE - 1)).await;
        company.knows(&format!("{FOLDED}{}", people::FOLDED_NAMES.len() - 1)).await;
        let app = format!("cn=oracle,ou=apps,{BASE}");
        let ours = company.directory.with_app(&app, "oracle-password-oracle-password-oracle");

        let wanted = ["-LLL", "-o", "ldif-wrap=no", "-b", BASE, "(objectClass=*)", "*", "memberOf", "entryUUID"];
        let data = ours.tool("ldapsearch", &wanted);
        assert_eq!(data.status, Some(0), "{data:#?}");
        let entries = Found::all(&data.out);
        assert!(entries.len() > PEOPLE, "{}", entries.len());
        let data = company.scratch.write("data.ldif", &data.out);
        let nothing = company.scratch.write("nothing.ldif", "");
        let settings =
            [("SLAPD_PEOPLE", data.to_str().unwrap()), ("SLAPD_GROUPS", nothing.to_str().unwrap()), ("SLAPD_ANY", "1")];
        let oracle = OpenLdap::start_with_suffix(&company.scratch.path().join("oracle"), BASE, &settings);
        Self { ours, oracle, admin: format!("cn=admin,{BASE}"), entries, _company: company }
    }

    /// Of each attribute, what filters are made of. Letters that OpenLDAP folds in its own way (see the deviations) are
    /// left out: a piece of them is in other people's names, too.
    fn values(&self) -> BTreeMap<String, Vec<String>> {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| !entry.dn.starts_with(&format!("uid={FOLDED}"))) {
            values.entry("entryDN".to_owned()).or_default().push(entry.dn.clone());
            for (name, value) in &entry.attributes {
                values.entry(name.clone()).or_default().push(value.clone());
            }
        }
        values
    }

    /// How many people both find: ours, and theirs.
    fn count(&self, filter: &str) -> (usize, usize) {
        let admin = self.oracle.directory.with_app(&self.admin, "admin-password");
        let filter = format!("(&(objectClass=person){filter})");
        let count = |directory: &Directory| directory.find(BASE, &filter, &["1.1"]).len();
        (count(&self.ours), count(&admin))
    }
}
