#![allow(clippy::unwrap_used)]
use serde_json::json;

use super::*;
use crate::directories::testkit::{at, directory, group, person, person_id};

fn index() -> Index {
    let mut index = Index::new(Layout::of(&directory()).unwrap());
    index.know_groups(&[group(1, "dev"), group(2, "ops")]);
    index
}

fn members(index: &Index, group: u32) -> Vec<u32> {
    index.groups.get(group).unwrap().members.clone()
}

#[test]
fn people_join_and_leave_groups() {
    let mut index = index();
    index.put(&person(1, json!({ "preferred_username": "ada", "groups": ["dev", "ops"] })));
    index.put(&person(2, json!({ "preferred_username": "bob", "groups": ["DEV"] })));
    assert_eq!((members(&index, 0), members(&index, 1)), (vec![0, 1], vec![0]));
    let before = index.clone();
    index.put(&person(1, json!({ "preferred_username": "ada", "groups": ["ops", "new"] })));
    assert_eq!((members(&index, 0), members(&index, 1), members(&index, 2)), (vec![1], vec![0], vec![0]));
    assert_eq!(members(&before, 0), [0, 1], "who still reads the older state sees what was");
    assert!(index.groups.get(2).unwrap().known.is_none(), "the store has not said yet what it is");
    index.remove(person_id(1), at(9));
    assert_eq!((members(&index, 0), members(&index, 1)), (vec![1], vec![]));
    assert_eq!((index.people.iter().count(), before.people.iter().count()), (1, 2));
}

#[test]
fn of_two_with_one_name_it_is_the_older_ones() {
    let mut index = index();
    let (younger, older) =
        (person(7, json!({ "preferred_username": "Ada" })), person(3, json!({ "preferred_username": "ada" })));
    index.put(&younger);
    let owner = |index: &Index| index.people.owner(b"ada").map(|(_, person)| person.id);
    assert_eq!(owner(&index), Some(person_id(7)));
    index.put(&older);
    assert_eq!(owner(&index), Some(person_id(3)), "whichever was read first");
    let is_named =
        |index: &Index, number| index.people.get(index.people.place(person_id(number)).unwrap()).unwrap().is_named;
    assert!(is_named(&index, 3) && !is_named(&index, 7));
    index.put(&DirectoryPerson { disabled: true, ..older.clone() });
    assert_eq!(owner(&index), Some(person_id(3)), "nobody takes the name of somebody who is disabled");
    index.put(&person(3, json!({ "preferred_username": "ada2" })));
    assert!(is_named(&index, 7), "the older one is called otherwise now");
    index.put(&older);
    index.remove(person_id(3), at(9));
    assert!(is_named(&index, 7), "the older one is gone");
}

#[test]
fn a_change_of_a_member_is_a_change_of_the_group() {
    let mut index = index();
    let ada = person(1, json!({ "preferred_username": "ada", "groups": ["dev"] }));
    index.put(&ada);
    let changed = |index: &Index| index.groups.get(0).unwrap().changed;
    let joined = changed(&index);
    index.put(&DirectoryPerson { changed: at(3_000_000), claims: ada.claims.clone(), ..ada.clone() });
    assert_eq!(changed(&index), joined, "what stands in the group is the same");
    index.put(&DirectoryPerson { changed: at(3_000_001), disabled: true, ..ada.clone() });
    assert_eq!(changed(&index), at(3_000_001), "who is disabled is not shown");
    let renamed = person(1, json!({ "preferred_username": "ada2", "groups": ["dev"] }));
    index.put(&DirectoryPerson { changed: at(3_000_002), ..renamed });
    assert_eq!(changed(&index), at(3_000_002));
    index.remove(person_id(1), at(3_000_003));
    assert_eq!(changed(&index), at(3_000_003));
}

#[test]
fn the_place_of_somebody_who_is_gone_is_used_again() {
    let mut index = index();
    for number in 0..3000 {
        index.put(&person(number, json!({ "preferred_username": format!("u{number}"), "groups": ["dev"] })));
    }
    for number in (0..3000).step_by(2) {
        index.remove(person_id(number), at(9));
    }
    assert_eq!((index.people.iter().count(), index.people.places()), (1500, 3000));
    assert!(index.people.owner(b"u10").is_none() && index.people.owner(b"u11").is_some());
    for number in 5000..6500 {
        index.put(&person(number, json!({ "preferred_username": format!("u{number}") })));
    }
    assert_eq!((index.people.iter().count(), index.people.places()), (3000, 3000));
    assert_eq!(members(&index, 0).len(), 1500);
    assert!(index.people.iter().all(|(place, person)| index.people.place(person.id) == Some(place)));
}
