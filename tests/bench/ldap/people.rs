//! The people of the bench.

use std::fmt::Write as _;

pub fn name(number: usize) -> String {
    format!("u{number}")
}

pub fn password(number: usize) -> String {
    format!("password of {number}")
}

/// Groups of a hundred people each; everybody is in one.
const IN_A_GROUP: usize = 100;

/// People, and groups that name them both ways.
pub fn ldif(people: usize) -> String {
    let mut out = String::with_capacity(people * 600);
    for number in 0..people {
        let name = name(number);
        let _ = write!(
            out,
            "dn: uid={name},ou=people,@SUFFIX@
objectClass: inetOrgPerson
uid: {name}
cn: Given{number} Family{number}
sn: Family{number}
givenName: Given{number}
displayName: Given{number} Family{number}
mail: {name}@acme.example
userPassword: {}
memberOf: cn=team{},ou=groups,@SUFFIX@

",
            password(number),
            number / IN_A_GROUP
        );
    }
    for team in 0..people.div_ceil(IN_A_GROUP) {
        let _ = write!(out, "dn: cn=team{team},ou=groups,@SUFFIX@\nobjectClass: groupOfNames\ncn: team{team}\n");
        for number in team * IN_A_GROUP..((team + 1) * IN_A_GROUP).min(people) {
            let _ = writeln!(out, "member: uid={},ou=people,@SUFFIX@", name(number));
        }
        out.push('\n');
    }
    out
}
