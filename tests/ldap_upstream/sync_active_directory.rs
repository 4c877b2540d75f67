//! Numbers 37 to 39 at Samba: changes by their numbers and by DirSync, and who was deleted. Several bridges read one
//! domain, each in another way. Each run is a process of its own: what is known between two is in the store.

use crate::support::Scratch;
use crate::support::bridge::Setup;
use crate::support::ldap::connections::client;
use crate::support::ldap::servers::{DOMAIN, Samba};

/// By whom, and how a domain is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Account {
    /// Without rights of its own.
    Bridge,
    /// May see what was deleted.
    Administrator,
}

struct Reader {
    method: &'static str,
    account: Account,
    setup: Setup,
    _scratch: Scratch,
}

impl Reader {
    fn new(samba: &Samba, method: &'static str, account: Account) -> Self {
        let scratch = Scratch::new("samba-sync");
        let setup = Setup::sqlite(scratch.path());
        let mut connection = samba.connection("ad", &format!("        sync: {{ delta: 1m, method: {method} }}\n"));
        if account == Account::Administrator {
            connection = connection
                .replace("CN=bridge,OU=Services,OU=Company", "CN=Administrator,CN=Users")
                .replace("bridge-password", "Admin-password-1");
        }
        let head = "version: 1\ntenants:\n  - slug: acme\n    display_name: Acme\n    domains: [ad.example.test]\n";
        setup.apply(&scratch, &format!("{head}    connections:\n{connection}{}", client()));
        Self { method, account, setup, _scratch: scratch }
    }

    fn sync(&self, more: &[&str]) -> String {
        self.setup.ok(&[&["connections", "sync", "acme/ad"], more].concat())
    }

    fn delta(&self, wanted: &str) {
        let said = self.sync(&[]);
        let how = (self.method, self.account);
        assert!(said.contains("what has changed was read") && said.contains(wanted), "{how:?}: {wanted}: {said}");
    }

    /// The person at this place, as the command line knows them.
    fn user(&self, cn: &str) -> String {
        let place = format!("CN={cn},");
        let list = self.setup.ok(&["users", "list", "--tenant", "acme", "--search", &place]);
        let line = list.lines().find(|line| line.contains(&place));
        let line = line.unwrap_or_else(|| panic!("{} {:?}: {list}", self.method, self.account));
        line.split_whitespace().next().unwrap().to_owned()
    }

    fn explains(&self, user: &str, wanted: &str) {
        let said = self.setup.ok(&["users", "explain", user, "--tenant", "acme"]);
        assert!(said.contains(wanted), "{} {:?}: {said}", self.method, self.account);
    }
}

/// As the administrator, LDIF with `changetype`.
fn change(samba: &Samba, ldif: &str) {
    let file = samba.peer.dir.join("change.ldif");
    std::fs::write(&file, ldif).unwrap();
    let said = samba.tool("ldapmodify", &["-f", file.to_str().unwrap()]);
    assert_eq!(said.status, Some(0), "{said:#?}");
}

fn dn(cn: &str) -> String {
    format!("CN={cn},OU=People,OU=Company,{DOMAIN}")
}

#[tokio::test]
async fn changes_are_heard_of_by_their_numbers_and_by_dir_sync() {
    let scratch = Scratch::new("samba-sync");
    let samba = Samba::start(scratch.path());
    let readers = [
        ("usn", Account::Administrator),
        ("usn", Account::Bridge),
        ("dirsync", Account::Administrator),
        ("dirsync", Account::Bridge),
    ];
    let readers = readers.map(|(method, account)| Reader::new(&samba, method, account));
    let each = |wanted: &str| readers.iter().for_each(|reader| reader.delta(wanted));
    for reader in &readers {
        let said = reader.sync(&[]);
        assert!(said.contains("everybody was read") && !said.contains(" 0 new"), "{said}");
    }
    each("0 new, 0 changed, 0 ended");

    change(
        &samba,
        &format!(
            "dn: {}\nchangetype: add\nobjectClass: user\nsAMAccountName: zoe\nmail: zoe@ad.example.test\n\
             userAccountControl: 544\n",
            dn("zoe")
        ),
    );
    each("1 new, 0 changed, 0 ended");
    let known = |reader: &Reader| [reader.user("zoe"), reader.user("bob"), reader.user("carol")];
    let known: Vec<_> = readers.iter().map(|reader| (reader, known(reader))).collect();

    change(&samba, &format!("dn: {}\nchangetype: modrdn\nnewrdn: CN=caroline\ndeleteoldrdn: 1\n", dn("carol")));
    each("0 new, 1 changed, 0 ended");

    let replace = |dn: String, name: &str, value: &str| {
        format!("dn: {dn}\nchangetype: modify\nreplace: {name}\n{name}: {value}\n\n")
    };
    change(
        &samba,
        &[replace(dn("caroline"), "displayName", "Cara"), replace(dn("bob"), "userAccountControl", "514")].concat(),
    );
    each("0 new, 1 changed, 1 ended");

    change(&samba, &format!("dn: {}\nchangetype: delete\n", dn("zoe")));
    for (reader, [zoe, bob, carol]) in &known {
        match reader.account {
            Account::Administrator => reader.delta("1 ended"),
            // Whoever may not see what was deleted finds it by comparing all keys.
            Account::Bridge => {
                let said = [reader.sync(&[]), reader.sync(&["--full"])].concat();
                assert!(said.contains("1 ended"), "{said}");
            }
        }
        reader.delta("0 ended");
        reader.explains(zoe, "kept out: not in the directory any more");
        reader.explains(bob, "kept out");
        reader.explains(carol, "comes in");
        assert_eq!(reader.user("caroline"), *carol, "by the new name");
    }
}
