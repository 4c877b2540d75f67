//! People beyond the limit of memory: the answers are those of a directory that has everybody whole.

use super::*;
use crate::directories::testkit::snapshot_and_store;

/// More than one reading of the store.
const COUNT: u128 = 300;

fn crowd() -> Vec<DirectoryPerson> {
    let one = |number: u128| {
        let names = ["Ada Lovelace", "Bob Smith", "Älice", "Cy D", "Eve"];
        let title = ["Engineer", "Clerk", "engineer"][number as usize % 3];
        let mut claims = json!({
            "preferred_username": format!("u{}", if number == 250 { 7 } else { number }),
            "name": format!("{} {number}", names[number as usize % names.len()]),
            "title": title,
            "cost_codes": [format!("c{}", number % 7), "all"],
        });
        let map = claims.as_object_mut().unwrap();
        if !number.is_multiple_of(4) {
            map.insert("email".to_owned(), json!(format!("u{number}@acme.example")));
        }
        if number.is_multiple_of(5) {
            map.insert("phone_number".to_owned(), json!(format!("+49 30 {number}")));
        }
        let groups: Vec<_> = ["dev", "ops", "secret"].into_iter().zip([2, 3, 50]).collect();
        let groups: Vec<_> =
            groups.into_iter().filter(|(_, each)| number.is_multiple_of(*each)).map(|(name, _)| name).collect();
        map.insert("groups".to_owned(), json!(groups));
        if number == 9 {
            map.remove("preferred_username");
        }
        DirectoryPerson { disabled: number.is_multiple_of(41), ..person(number, claims) }
    };
    (1..=COUNT).map(one).collect()
}

fn with_memory(memory: u64) -> (Snapshot, Arc<Given>) {
    let narrow = json!({ "attributes": ["uid", "cn", "mail", "memberOf"], "filter_attributes": ["uid", "title"] });
    let apps = [("all", everything()), ("narrow", narrow)];
    let directory = LdapDirectory { posix: Posix::Allocate, private_groups: true, memory, ..directory() };
    snapshot_and_store(directory, &apps, &crowd(), &[group(1, "dev"), group(2, "ops"), group(3, "secret")])
}

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn filter(&mut self, depth: usize) -> String {
        let number = 1 + self.below(COUNT as usize + 5);
        match self.below(if depth == 0 { 12 } else { 18 }) {
            0 => format!("(uid=U{number})"),
            1 => format!("(mail=u{number}@acme.example)"),
            2 => format!("(cn={}*)", self.one(&["a", "bob", "ä", "x"])),
            3 => format!("(title={})", self.one(&["engineer", "Clerk", "nobody"])),
            4 => format!("(costCodes=C{})", self.below(9)),
            5 => format!("({}=*)", self.one(&["title", "telephoneNumber", "mail", "homeDirectory", "memberUid", "l"])),
            6 => format!("(memberOf=cn={},ou=groups,{BASE})", self.one(&["dev", "ops", "secret", "none"])),
            7 => format!("(uidNumber{}{})", self.one(&["=", ">=", "<="]), 1000 + number),
            8 => format!("(objectClass={})", self.one(&["person", "posixAccount", "groupOfNames", "top", "device"])),
            9 => format!("(telephoneNumber=*{})", self.below(10)),
            10 => format!(
                "({}={})",
                self.one(&["name", ":caseExactMatch:", "sn", "nobodyKnows"]),
                self.one(&["Eve", "Clerk", "3"])
            ),
            11 => format!("(member=uid=u{number},ou=people,{BASE})"),
            12..=13 => format!("(!{})", self.filter(depth - 1)),
            14..=15 => format!("(&{}{})", self.filter(depth - 1), self.filter(depth - 1)),
            _ => format!("(|{}{}{})", self.filter(depth - 1), self.filter(depth - 1), self.filter(depth - 1)),
        }
    }
}

#[test]
fn the_answers_do_not_depend_on_memory() {
    let (whole, asked_whole) = with_memory(u64::MAX);
    let half = whole.index().people.octets() / 2;
    let others = [with_memory(0), with_memory(half)];
    assert_eq!(others[0].0.index().people.octets(), 0);
    let kept = others[1].0.index().people.octets();
    assert!(kept <= half && kept > half - 1000, "{kept} of {half}");
    let mut dice = Dice(5);
    let mut given = 0;
    for round in 0..2_000 {
        let filter = dice.filter(3);
        let base = dice.one(&["", "ou=people,", "ou=groups,", "uid=u7,ou=people,", "cn=u8,ou=groups,"]);
        let scope = [Scope::Sub, Scope::Sub, Scope::One, Scope::Base, Scope::Subordinate][dice.below(5)];
        let wanted = [&[][..], &["uid", "cn"], &["*", "+"], &["1.1"], &["title"], &["memberOf", "mail"]][dice.below(6)];
        let as_ = [by_app(0), by_app(1), by_person(7)][dice.below(3)];
        let search =
            Search { types_only: dice.below(9) == 0, ..asked(&format!("{base}{BASE}"), scope, &filter, wanted) };
        let right = entries(&whole, &as_, &search);
        given += right.0.len();
        for (less, _) in &others {
            let found = entries(less, &as_, &search);
            assert!(found == right, "{round}: {filter} {base} {scope:?} {wanted:?} {as_:?}");
        }
    }
    assert!(given > 20_000, "{given}");
    assert_eq!(*asked_whole.asked.lock().unwrap(), [0; 0], "everybody is in memory");
    let most = others.iter().map(|(_, store)| store.asked.lock().unwrap().iter().copied().max()).max();
    assert_eq!(most.flatten(), Some(256), "no more are read at once, whatever the search");
}

#[test]
fn what_is_found_by_keys_and_shown_by_keys_costs_no_reading() {
    let (none, store) = with_memory(0);
    let all = |filter: &str, wanted: &[&str]| {
        let found = entries(&none, &by_app(0), &asked(BASE, Scope::Sub, filter, wanted)).0.len();
        (found, std::mem::take(&mut *store.asked.lock().unwrap()))
    };
    assert_eq!(all("(uid=u8)", &["uid", "cn", "mail", "memberOf", "objectClass"]), (1, vec![]));
    assert_eq!(all("(&(objectClass=person)(mail=u9@acme.example))", &["entryUUID"]), (1, vec![]));
    assert_eq!(all("(uid=u8)", &["title"]), (1, vec![1]));
    assert_eq!(all("(&(uid=u8)(title=Nobody))", &["1.1"]), (0, vec![1]));
    assert_eq!(all("(&(uid=u8)(mail=other)(title=clerk))", &["1.1"]), (0, vec![]), "the keys say no");
    assert_eq!(all("(cn=cy d*)", &["title"]), (59, vec![59]), "those who go out, at once");
    let groups = all(&format!("(&(objectClass=groupOfNames)(member=uid=u8,ou=people,{BASE}))"), &["member"]);
    assert_eq!(groups, (2, vec![]), "names of members are in memory");
}

#[test]
fn a_small_page_reads_as_many_as_it_gives() {
    let (none, store) = with_memory(0);
    let search = asked(BASE, Scope::Sub, "(objectClass=person)", &["title"]);
    let page =
        none.search(&Asked { search: &search, as_: &by_app(0), fetched: None, ask_for: 10, after: 0 }, &mut |_| true);
    assert_eq!(page.missing.len(), 10);
    let fetched = futures_util::FutureExt::now_or_never(none.fetch(&page.missing)).unwrap().unwrap();
    let mut given = 0;
    let on =
        Asked { search: &search, as_: &by_app(0), fetched: Some(&fetched), ask_for: 10, after: page.next.unwrap() };
    let page = none.search(&on, &mut |_| {
        given += 1;
        true
    });
    assert_eq!((given, page.missing.len(), page.next.is_some()), (10, 0, true));
    assert_eq!(*store.asked.lock().unwrap(), [10]);
}

#[test]
fn the_store_knows_better_who_is_gone() {
    let (none, store) = with_memory(0);
    let found = |filter: &str| people(&none, &by_app(0), filter);
    let title = "(&(|(uid=u1)(uid=u2)(uid=u3)(uid=u4))(title=*))";
    assert_eq!(found(title), ["u1", "u2", "u3", "u4"]);
    {
        let mut there = store.people.lock().unwrap();
        there.retain(|person| person.id != person_id(2));
        let claims = json!({ "preferred_username": "other", "title": "Boss", "new_claim": "x" });
        for changed in there.iter_mut().filter(|changed| changed.id == person_id(3)) {
            *changed = person(3, claims.clone());
        }
        for disabled in there.iter_mut().filter(|disabled| disabled.id == person_id(4)) {
            disabled.disabled = true;
        }
    }
    assert_eq!(found(title), ["u1", "u3"]);
    let entry = &entries(&none, &by_app(0), &asked(BASE, Scope::Sub, "(uid=u3)", &["uid", "title"])).0[0];
    assert_eq!(shown(entry), "title=Boss; uid=u3", "the name is another when the index hears of it");
    let dn = |name: &str| format!("uid={name},ou=people,{BASE}");
    assert_eq!(compared(&none, &by_app(0), &dn("u3"), "title", "boss").0, Code::COMPARE_TRUE);
    assert_eq!(compared(&none, &by_app(0), &dn("u2"), "title", "boss").0, Code::NO_SUCH_OBJECT);
    store.asked.lock().unwrap().clear();
    assert_eq!(compared(&none, &by_app(0), &dn("u1"), "mail", "u1@acme.example").0, Code::COMPARE_TRUE);
    assert_eq!(*store.asked.lock().unwrap(), [0; 0], "a key is at hand");
}

#[test]
fn who_leaves_makes_room() {
    let (whole, _) = with_memory(u64::MAX);
    let half = whole.index().people.octets() / 2;
    let mut index = with_memory(half).0.index().clone();
    let is_whole =
        |index: &Index, number| index.people.get(index.people.place(person_id(number)).unwrap()).unwrap().is_whole;
    assert!(is_whole(&index, 1) && !is_whole(&index, COUNT));
    index.remove(person_id(1), at(9));
    index.remove(person_id(2), at(9));
    index.put(&crowd()[COUNT as usize - 1]);
    assert!(is_whole(&index, COUNT), "as soon as something is heard of them");
    for person in crowd() {
        index.remove(person.id, at(9));
    }
    assert_eq!(index.people.octets(), 0);
}
