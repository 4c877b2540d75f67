//! From a file, or a folder of files, to one document.

use std::path::{Path, PathBuf};

use crate::settings::complaints::{Complaints, Place};

use super::fields::Fields;
use super::node::{Entry, Node, NodeValue};

/// Lists of a tenant that several files may add to.
const LISTS: &[&str] = &["connections", "clients", "service_providers"];

/// Reads everything and gives back the tenants as they are written.
pub fn read(path: &Path, complaints: &mut Complaints) -> Vec<Node> {
    let Some(files) = files(path, complaints) else { return Vec::new() };
    let mut tenants: Vec<Node> = Vec::new();
    let mut versions = 0;
    let mut documents = 0;
    for file in &files {
        let source = file.display().to_string();
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                complaints.add(&Place::whole(source), "", format!("the file can't be read: {error}"));
                continue;
            }
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let Some(document) = Node::parse(&source, text, complaints) else { continue };
        let Some(mut fields) = Fields::of(&document, "", complaints) else { continue };
        documents += 1;
        versions += usize::from(version(&mut fields, complaints));
        for tenant in fields.list("tenants", complaints) {
            merge(&mut tenants, tenant, complaints);
        }
        fields.finish(complaints);
    }
    if documents > 0 && versions == 0 {
        let place = Place::new(files.first().map_or_else(String::new, |file| file.display().to_string()), 1);
        complaints.add(&place, "version", "missing; start the file with `version: 1`");
    }
    tenants
}

fn files(path: &Path, complaints: &mut Complaints) -> Option<Vec<PathBuf>> {
    if !path.is_dir() {
        return Some(vec![path.to_owned()]);
    }
    let place = Place::whole(path.display().to_string());
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => {
            complaints.add(&place, "", format!("the folder can't be read: {error}"));
            return None;
        }
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|file| file.extension().is_some_and(|end| end == "yaml" || end == "yml") && file.is_file())
        .collect();
    files.sort();
    if files.is_empty() {
        complaints.add(&place, "", "the folder holds no .yaml file");
        return None;
    }
    Some(files)
}

fn version(fields: &mut Fields<'_>, complaints: &mut Complaints) -> bool {
    let Some(node) = fields.take("version") else { return false };
    if node.value != NodeValue::Integer(1) {
        complaints.add(&node.place, "version", "this build reads version 1; write `version: 1`");
    }
    true
}

/// Adds a tenant, or adds its lists to the tenant of the same slug in another file.
fn merge(tenants: &mut Vec<Node>, tenant: &Node, complaints: &mut Complaints) {
    let slug = tenant.get("slug").and_then(Node::text);
    let same = tenants.iter_mut().find(|there| {
        slug.is_some() && there.get("slug").and_then(Node::text) == slug && there.place.source != tenant.place.source
    });
    let (Some(there), NodeValue::Map(added)) = (same, &tenant.value) else {
        tenants.push(tenant.clone());
        return;
    };
    let path = format!("tenants[{}]", slug.unwrap_or_default());
    let NodeValue::Map(entries) = &mut there.value else { return };
    for entry in added.iter().filter(|entry| entry.key != "slug") {
        add_entry(entries, entry, &path, complaints);
    }
}

fn add_entry(entries: &mut Vec<Entry>, entry: &Entry, path: &str, complaints: &mut Complaints) {
    match entries.iter_mut().find(|there| there.key == entry.key) {
        None => entries.push(entry.clone()),
        Some(there) if there.node.value == NodeValue::Null => *there = entry.clone(),
        Some(there) => match (&mut there.node.value, &entry.node.value) {
            (NodeValue::List(items), NodeValue::List(more)) if LISTS.contains(&entry.key.as_str()) => {
                items.extend(more.iter().cloned());
            }
            _ => {
                let message = format!("this is given at {} already; keep it in one file", there.node.place);
                complaints.add(&entry.node.place, format!("{path}.{}", entry.key), message);
            }
        },
    }
}
