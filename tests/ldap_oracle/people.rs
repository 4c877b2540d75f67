//! Names that are hard to compare: case, accents in both forms, spaces, what needs escaping.

/// People whom both servers compare alike.
pub const PEOPLE: usize = 200;

/// What user names of the others begin with.
pub const FOLDED: &str = "folded";

/// First names with letters that become two, or others, when their case is folded.
pub const FOLDED_NAMES: [&str; 4] = ["Straße", "STRAẞE", "ℂlara", "Ⅳ"];

/// LDIF of all of them.
pub fn people() -> String {
    const GIVEN: [&str; 12] = [
        "Ada",
        "ADA",
        "Émile",
        "E\u{301}mile",
        "Jean  Luc",
        "Øystein",
        "Strand",
        "STRAND",
        "Ann*e",
        "Lee (Jr)",
        "O'Brien",
        "back\\slash",
    ];
    const LAST: [&str; 9] =
        ["Archer", "archer", "Bäcker", "Ba\u{308}cker", "de la Cruz", "Smith-Jones", "Żółw", "Żółć", "ﬁsher"];
    let plain = (0..PEOPLE).map(|number| {
        let host = ["acme", "ACME", "sub.acme"][number % 3];
        person(&format!("p{number}"), GIVEN[number % GIVEN.len()], LAST[number / 3 % LAST.len()], host)
    });
    let folded = FOLDED_NAMES.iter().enumerate();
    let folded = folded.map(|(number, given)| person(&format!("{FOLDED}{number}"), given, "Archer", "acme"));
    plain.chain(folded).collect()
}

fn person(name: &str, given: &str, last: &str, host: &str) -> String {
    format!(
        "dn: uid={name},ou=people,@SUFFIX@
objectClass: inetOrgPerson
uid: {name}
cn:: {cn}
sn:: {sn}
givenName:: {given}
displayName:: {cn}
mail: {capitals}@{host}.example
userPassword: {name}-password

",
        cn = base64(&format!("{given} {last}")),
        sn = base64(last),
        given = base64(given),
        capitals = name.to_uppercase(),
    )
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
