//! Versions of resources (RFC 7644 section 3.14): weak entity tags (RFC 9110 section 8.8.3).

/// As `meta.version` and the header ETag have it.
pub fn tag(version: i64) -> String {
    format!("W/\"{version}\"")
}

/// Whether a list of entity tags, as in If-Match and If-None-Match, names this version: `*` names every one. They
/// are compared weakly, because ours are weak.
pub fn names(list: &str, version: i64) -> bool {
    let opaque = version.to_string();
    list.split(',').map(str::trim).any(|one| {
        let bare = one.strip_prefix("W/").or_else(|| one.strip_prefix("w/")).unwrap_or(one);
        one == "*" || bare.strip_prefix('"').and_then(|bare| bare.strip_suffix('"')) == Some(opaque.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_name_versions() {
        for list in ["*", "W/\"7\"", "\"7\"", "W/\"6\", W/\"7\"", " w/\"7\" ", &tag(7)] {
            assert!(names(list, 7), "{list}");
        }
        for list in ["", "7", "W/7", "W/\"77\"", "W/\"6\"", "\"7", "**"] {
            assert!(!names(list, 7), "{list}");
        }
    }
}
