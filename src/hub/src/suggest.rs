//! The nearest known name to one that somebody mistyped.

pub use fedbridge_contract::text::nearest;

/// `; did you mean …?` for the nearest candidate, or nothing.
pub fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["redirect_uris", "client_id", "client_secret", "name"];
        assert_eq!(nearest("redirect_uri", known), Some("redirect_uris"));
        assert_eq!(nearest("Client_ID", known), Some("client_id"));
        assert_eq!(nearest("nmae", known), Some("name"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn prefers_the_nearer_one() {
        assert_eq!(nearest("mail", ["email", "mail", "nail"]), Some("mail"));
        assert_eq!(nearest("given_nam", ["given_names", "given_name"]), Some("given_name"));
    }

    #[test]
    fn hints_as_a_sentence() {
        assert_eq!(hint("grups", ["groups"]), "; did you mean `groups`?");
        assert_eq!(hint("zzzz", ["groups"]), "");
    }
}
