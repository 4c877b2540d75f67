//! `groups`: where groups are, and how those of a person are found.

use std::time::Duration;

use fedbridge_contract::reader::Reader;
use serde_json::{Map, Value};

use super::values::{decimal, dn, within};
use super::{Groups, How, Member, OnFailure, ShownAs, automatic};
use crate::flavors::Flavor;

const KEY: &str = "groups";

pub(super) fn groups(reader: &mut Reader, object: &Map<String, Value>, flavor: &Flavor) -> Option<Groups> {
    let inner = reader.map(object, "", KEY)?;
    let known = ["base", "nested", "how", "member", "as", "depth", "most", "budget", "fail"];
    reader.only_keys(inner, KEY, &known);
    let base = dn(reader, inner, KEY, "base");
    if inner.get("base").is_none_or(Value::is_null) {
        reader.complain("groups.base", "is missing; it is the DN below which groups count");
    }
    let hows = [
        ("auto", automatic(flavor)),
        ("member_of", How::MemberOf),
        ("matching_rule", How::MatchingRule),
        ("token_groups", How::TokenGroups),
        ("search", How::Search),
    ];
    let how = reader.choice(inner, KEY, "how", &hows).unwrap_or(automatic(flavor));
    let nested = reader.boolean(inner, KEY, "nested").unwrap_or(true);
    let of_active_directory = matches!(how, How::MatchingRule | How::TokenGroups);
    if of_active_directory && !flavor.is_active_directory() {
        reader
            .complain("groups.how", format!("{} is Active Directory's, and the flavor is {}", how.name(), flavor.name));
    }
    let members = members(reader, inner);
    let shown = [("name", ShownAs::Name), ("dn", ShownAs::Dn)];
    let shown = reader.choice(inner, KEY, "as", &shown).unwrap_or(ShownAs::Name);
    let failure = [("deny", OnFailure::Deny), ("without", OnFailure::Without)];
    let on_failure = reader.choice(inner, KEY, "fail", &failure).unwrap_or(OnFailure::Deny);
    let number = |number: Option<u64>, usual: usize| number.and_then(|n| usize::try_from(n).ok()).unwrap_or(usual);
    let depth = number(decimal(reader, inner, KEY, "depth", 1..=100), 20);
    let most = number(decimal(reader, inner, KEY, "most", 1..=10_000), 1_000);
    let (least, longest) = (Duration::from_millis(50), Duration::from_secs(60));
    let budget = within(reader, inner, KEY, "budget", least..=longest).unwrap_or(Duration::from_secs(2));
    let (base, base_dn) = base?;
    // The server works nested groups out; asking for direct ones alone needs another way.
    let how = if !nested && of_active_directory { How::MemberOf } else { how };
    Some(Groups { base, base_dn, how, nested, members, shown, depth, most, budget, on_failure })
}

fn members(reader: &mut Reader, inner: &Map<String, Value>) -> Vec<Member> {
    let all = [Member::Dn, Member::UniqueDn, Member::Uid, Member::Url];
    let Some(names) = reader.texts(inner, KEY, "member") else { return all[..3].to_vec() };
    if names.is_empty() {
        reader.complain("groups.member", "is empty; name one attribute at least, such as member");
    }
    let mut members = Vec::new();
    for (at, name) in names.iter().enumerate() {
        match all.iter().find(|member| member.attribute().eq_ignore_ascii_case(name)) {
            Some(member) if !members.contains(member) => members.push(*member),
            Some(_) => {}
            None => reader.complain(
                &format!("groups.member[{at}]"),
                format!("`{name}` is not known here; use member, uniqueMember, memberUid or memberURL"),
            ),
        }
    }
    members
}
