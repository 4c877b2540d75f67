//! Thousands of generated filters and patches, by the engine and by the model.

use fedbridge_scim_core::filter::{Filter, Strange};
use fedbridge_scim_core::{Profile, ResourceKind};
use serde_json::{Map, Value, json};

use crate::model::{Act, Condition, LISTS, Spot, TEXTS, act};
use crate::support::{Dice, SCHEMAS, patch, user, word};

const VALUES: [&str; 9] = ["a", "A", "ab", "Ab", "b", "ba", "", "straße", "STRASSE"];
const KINDS: [&str; 3] = ["work", "Home", "other"];
const OPERATORS: [&str; 9] = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"];

const FILTERS: usize = 20_000;
const PATCHES: usize = 10_000;

fn somebody(dice: &mut Dice) -> Value {
    let mut body = Map::new();
    for (name, _) in TEXTS {
        if name == "userName" || dice.chance(60) {
            let value = if name == "userName" { dice.of(&["a", "Ab", "straße"]) } else { dice.of(&VALUES) };
            body.insert(name.into(), json!(value));
        }
    }
    if dice.chance(70) {
        body.insert("active".into(), json!(dice.chance(50)));
    }
    if dice.chance(50) {
        body.insert("name".into(), json!({ "givenName": dice.of(&VALUES) }));
    }
    for name in LISTS {
        let mut all: Vec<Value> = (0..dice.below(4)).map(|_| element(dice)).collect();
        let mut primary = false;
        for one in &mut all {
            if one.get("primary") == Some(&json!(true)) && std::mem::replace(&mut primary, true) {
                one["primary"] = json!(false);
            }
        }
        if !all.is_empty() {
            body.insert(name.into(), json!(all));
        }
    }
    Value::Object(body)
}

fn element(dice: &mut Dice) -> Value {
    let mut one = Map::new();
    one.insert("value".into(), json!(dice.of(&VALUES)));
    if dice.chance(70) {
        one.insert("type".into(), json!(dice.of(&KINDS)));
    }
    if dice.chance(30) {
        one.insert("primary".into(), json!(dice.chance(60)));
    }
    Value::Object(one)
}

fn condition(dice: &mut Dice, depth: usize) -> Condition {
    if depth > 0 && dice.chance(50) {
        let one = Box::new(condition(dice, depth - 1));
        return match dice.below(3) {
            0 => Condition::Not(one),
            1 => Condition::And(one, Box::new(condition(dice, depth - 1))),
            _ => Condition::Or(one, Box::new(condition(dice, depth - 1))),
        };
    }
    let text = |dice: &mut Dice| if dice.chance(8) { None } else { Some(dice.of(&VALUES).to_owned()) };
    let compared = |dice: &mut Dice, name: &str, part: Option<&str>| match text(dice) {
        Some(value) => Condition::Is(name.into(), part.map(str::to_owned), pick(dice), json!(value)),
        None => {
            let operator = if dice.chance(50) { "eq" } else { "ne" };
            Condition::Is(name.into(), part.map(str::to_owned), operator, Value::Null)
        }
    };
    match dice.below(6) {
        0 => {
            let operator = if dice.chance(50) { "eq" } else { "ne" };
            Condition::Is("active".into(), None, operator, json!(dice.chance(50)))
        }
        1 => {
            let name = TEXTS[dice.below(TEXTS.len())].0;
            Condition::Has(name.into(), None)
        }
        2 => {
            let name = *dice.of(&[&"emails", &"phoneNumbers", &"name"]);
            let part = if name == "name" { "givenName" } else { *dice.of(&[&"value", &"type"]) };
            if dice.chance(40) {
                Condition::Has(name.into(), Some(part.into()))
            } else {
                compared(dice, name, Some(part))
            }
        }
        3 => {
            let name = LISTS[dice.below(LISTS.len())];
            let parts = (0..=dice.below(2)).map(|_| {
                let (part, values): (_, &[&str]) = if dice.chance(50) { ("type", &KINDS) } else { ("value", &VALUES) };
                (part.to_owned(), pick(dice), dice.of(values).to_owned())
            });
            Condition::Of(name.into(), parts.collect())
        }
        4 => {
            let name = LISTS[dice.below(LISTS.len())];
            compared(dice, name, None)
        }
        _ => {
            let name = TEXTS[dice.below(TEXTS.len())].0;
            compared(dice, name, None)
        }
    }
}

fn pick(dice: &mut Dice) -> &'static str {
    OPERATORS[dice.below(OPERATORS.len())]
}

#[test]
fn filters_say_what_the_model_says() {
    let mut dice = Dice(1);
    let mut held = 0;
    for number in 0..FILTERS {
        let person = somebody(&mut dice);
        let condition = condition(&mut dice, 4);
        let text = condition.text();
        let filter = Filter::parse(&text, &SCHEMAS, ResourceKind::User, Strange::Refused);
        let filter = filter.unwrap_or_else(|fault| panic!("{number}: {text}: {fault}"));
        let wanted = condition.holds(&person);
        assert_eq!(filter.matches(person.as_object().unwrap()), wanted, "{number}: {text} of {person}");
        held += usize::from(wanted);
    }
    assert!((FILTERS / 4..FILTERS * 3 / 4).contains(&held), "{held} of {FILTERS} hold: the test shows little");
}

fn some_act(dice: &mut Dice) -> Act {
    let verb = *dice.of(&[&"add", &"replace", &"remove"]);
    let name = LISTS[dice.below(LISTS.len())];
    let (spot, value) = match dice.below(6) {
        0 => {
            let name = TEXTS[dice.below(TEXTS.len())].0;
            let values: &[&str] = if name == "userName" { &["a", "Ab", "straße"] } else { &VALUES };
            (Spot::Plain(name.into(), None), json!(dice.of(values)))
        }
        1 => (
            Spot::Plain("name".into(), Some((*dice.of(&[&"givenName", &"familyName"])).into())),
            json!(dice.of(&VALUES)),
        ),
        2 => {
            let most_one_primary = |mut all: Vec<Value>| {
                let first = all.iter().position(|one| one.get("primary") == Some(&json!(true)));
                for (at, one) in all.iter_mut().enumerate() {
                    if Some(at) != first && one.get("primary").is_some() {
                        one["primary"] = json!(false);
                    }
                }
                all
            };
            let all = (0..=dice.below(2)).map(|_| element(dice)).collect();
            (Spot::List(name.into()), json!(most_one_primary(all)))
        }
        3 => (Spot::Typed(name.into(), dice.of(&KINDS).into(), None), element(dice)),
        _ => {
            let kind = dice.of(&KINDS).to_owned();
            let (part, value) = match dice.below(3) {
                0 => ("primary", json!(dice.chance(60))),
                1 => ("display", json!(dice.of(&VALUES))),
                _ => ("value", json!(dice.of(&VALUES))),
            };
            (Spot::Typed(name.into(), kind, Some(part.into())), value)
        }
    };
    Act { verb, spot, value }
}

#[test]
fn patches_do_what_the_model_does() {
    let mut dice = Dice(2);
    let (mut done, mut refused) = (0, 0);
    for number in 0..PATCHES {
        let body = somebody(&mut dice);
        let before = user(body.clone());
        let acts: Vec<_> = (0..=dice.below(3)).map(|_| some_act(&mut dice)).collect();
        let profile = if dice.chance(50) { Profile::GENERIC } else { Profile::ENTRA };
        let mut wanted = body.as_object().unwrap().clone();
        let outcome = acts.iter().try_for_each(|one| act(&mut wanted, one, profile.creates_missing_target));
        let operations: Vec<_> = acts.iter().map(Act::json).collect();
        let found = patch(&before, json!(operations), &profile);
        match (outcome, found) {
            (Ok(()), Ok(patched)) => {
                done += 1;
                let there = Value::Object(patched.resource.document.clone());
                assert_eq!(there, Value::Object(wanted), "{number}: {body} by {}", json!(operations));
                assert_eq!(patched.leaves_document(), patched.resource == before);
            }
            (Err(wanted), Err(fault)) => {
                refused += 1;
                assert_eq!(word(&fault), wanted, "{number}: {body} by {}: {fault}", json!(operations));
            }
            (wanted, found) => panic!("{number}: {body} by {}: {wanted:?} and {found:?}", json!(operations)),
        }
    }
    assert!(done > PATCHES / 3 && refused > PATCHES / 50, "{done} done, {refused} refused: the test shows little");
}
