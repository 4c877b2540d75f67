//! Which change has made each attribute what it is.

use fedbridge_contract::push::{Changed, Origin, Origins};

use super::change::Pushing;

/// More paths than a directory changes one by one. Beyond it, all that is not newest counts as of the newest change.
const MOST: usize = 300;

pub(super) fn of_new(at: &Pushing<'_>) -> Origins {
    Origins::from([(String::new(), this(at))])
}

pub(super) fn of_changed(at: &Pushing<'_>, before: Origins, changes: &[Changed]) -> Origins {
    changed(before, changes, &this(at))
}

/// What lies below a path that has changed has changed with it.
fn changed(mut origins: Origins, changes: &[Changed], this: &Origin) -> Origins {
    for Changed { path, .. } in changes {
        origins.retain(|known, _| !below(known, path));
        origins.insert(path.clone(), this.clone());
    }
    if origins.len() > MOST {
        return Origins::from([(String::new(), this.clone())]);
    }
    origins
}

fn below(known: &str, path: &str) -> bool {
    known.strip_prefix(path).is_some_and(|rest| rest.starts_with('.') || rest.starts_with('['))
}

fn this(at: &Pushing<'_>) -> Origin {
    Origin { at: at.now, txn: at.txn, by: at.actor.credential.clone() }
}

#[cfg(test)]
mod tests {
    use fedbridge_contract::ids::TraceId;
    use fedbridge_contract::time::Timestamp;
    use uuid::Uuid;

    use super::*;

    fn origin(number: u128) -> Origin {
        let txn = TraceId::from_uuid(Uuid::from_u128(number));
        Origin { at: Timestamp::from_millis(number as i64), txn, by: "token 1".into() }
    }

    fn change(paths: &[&str]) -> Vec<Changed> {
        paths.iter().map(|path| Changed { path: (*path).to_owned(), before: None, after: None }).collect()
    }

    #[test]
    fn each_path_is_of_the_last_change_that_touched_it() {
        let first = Origins::from([(String::new(), origin(1))]);
        let second = changed(first, &change(&["name.givenName", "title"]), &origin(2));
        let third = changed(second, &change(&["name"]), &origin(3));
        let all: Vec<_> = third.iter().map(|(path, origin)| (path.as_str(), origin.at.millis())).collect();
        assert_eq!(all, [("", 1), ("name", 3), ("title", 2)]);
    }

    #[test]
    fn paths_do_not_grow_without_end() {
        let paths: Vec<_> = (0..=MOST).map(|number| format!("a{number}")).collect();
        let paths: Vec<_> = paths.iter().map(String::as_str).collect();
        let all = changed(Origins::from([(String::new(), origin(1))]), &change(&paths), &origin(2));
        assert_eq!(all, Origins::from([(String::new(), origin(2))]));
    }
}
