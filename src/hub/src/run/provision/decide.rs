//! What becomes of somebody who is described, beside what is known of them. Pure.

use crate::ports::{IdentityNews, KnownSubject, ProfileSource};

/// What is described.
pub(super) struct Described<'a> {
    pub digest: &'a [u8; 32],
    /// Why the person may not log in, by the upstream or by the connection's rules.
    pub out: Option<&'a str>,
    /// Keyed hash of an address that counts as verified.
    pub email: Option<[u8; 32]>,
    /// How people read the identity.
    pub display: &'a str,
}

/// Who describes: what they say goes before what was said from below.
#[derive(Clone, Copy)]
pub(super) struct Speaker {
    pub source: ProfileSource,
    /// Whether people get numbers here.
    pub numbers: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nobody here, and nobody is made of somebody who could not come in.
    LeaveOut,
    /// Somebody new.
    Appear,
    /// Nothing new was said.
    See,
    /// Is kept out from now on; what was said beside that is kept at the next run.
    KeepOut(String),
    Keep {
        news: IdentityNews,
        give_number: bool,
    },
}

pub(super) fn step(known: Option<&KnownSubject>, described: &Described<'_>, speaker: Speaker) -> Step {
    let Some(known) = known else {
        return if described.out.is_some() { Step::LeaveOut } else { Step::Appear };
    };
    let was_out = known.last.as_ref().and_then(|last| last.disabled.as_deref());
    if let (Some(reason), None) = (described.out, was_out) {
        return Step::KeepOut(reason.to_owned());
    }
    let news = IdentityNews {
        email: described.email.filter(|email| known.email != Some(*email)),
        display: (known.display != described.display).then(|| described.display.to_owned()),
    };
    let give_number = speaker.numbers && !known.numbered;
    let same = known.last.as_ref().is_some_and(|last| {
        last.digest == *described.digest && last.source == speaker.source && was_out == described.out
    });
    if same && news.is_none() && !give_number { Step::See } else { Step::Keep { news, give_number } }
}

#[cfg(test)]
mod tests {
    use fedbridge_contract::ids::PersonId;
    use uuid::Uuid;

    use super::*;
    use crate::ports::LastSaid;

    const SYNC: Speaker = Speaker { source: ProfileSource::Sync, numbers: true };

    fn known(digest: u8, disabled: Option<&str>) -> KnownSubject {
        let disabled = disabled.map(str::to_owned);
        KnownSubject {
            person: PersonId::from_uuid(Uuid::nil()),
            email: Some([1; 32]),
            display: "ada".to_owned(),
            numbered: true,
            last: Some(LastSaid { digest: [digest; 32], source: ProfileSource::Sync, disabled }),
        }
    }

    fn described(out: Option<&str>) -> Described<'_> {
        Described { digest: &[7; 32], out, email: Some([1; 32]), display: "ada" }
    }

    const KEEP: Step = Step::Keep { news: NOTHING, give_number: false };
    const NOTHING: IdentityNews = IdentityNews { email: None, display: None };

    #[test]
    fn nobody_is_made_of_somebody_who_is_kept_out() {
        assert_eq!(step(None, &described(None), SYNC), Step::Appear);
        assert_eq!(step(None, &described(Some("locked")), SYNC), Step::LeaveOut);
    }

    #[test]
    fn what_is_the_same_is_only_seen() {
        assert_eq!(step(Some(&known(7, None)), &described(None), SYNC), Step::See);
        assert_eq!(step(Some(&known(8, None)), &described(None), SYNC), KEEP);
        let login = Speaker { source: ProfileSource::Login, ..SYNC };
        assert_eq!(step(Some(&known(7, None)), &described(None), login), KEEP, "the source has changed");
        let unsaid = KnownSubject { last: None, ..known(7, None) };
        assert_eq!(step(Some(&unsaid), &described(None), SYNC), KEEP);
    }

    #[test]
    fn who_is_kept_out_is_ended_once_and_comes_back() {
        let out = described(Some("locked"));
        assert_eq!(step(Some(&known(7, None)), &out, SYNC), Step::KeepOut("locked".into()));
        let unsaid = KnownSubject { last: None, ..known(7, None) };
        assert_eq!(step(Some(&unsaid), &out, SYNC), Step::KeepOut("locked".into()));
        assert_eq!(step(Some(&known(7, Some("locked"))), &out, SYNC), Step::See);
        assert_eq!(step(Some(&known(7, Some("expired"))), &out, SYNC), KEEP, "for another reason");
        assert_eq!(step(Some(&known(7, Some("locked"))), &described(None), SYNC), KEEP, "lets the person in again");
    }

    #[test]
    fn a_new_address_or_a_missing_number_is_something_new() {
        let moved = Described { email: Some([2; 32]), ..described(None) };
        let keep = Step::Keep { news: IdentityNews { email: Some([2; 32]), ..NOTHING }, give_number: false };
        assert_eq!(step(Some(&known(7, None)), &moved, SYNC), keep);
        let unverified = Described { email: None, ..described(None) };
        assert_eq!(step(Some(&known(7, None)), &unverified, SYNC), Step::See);
        let unnumbered = KnownSubject { numbered: false, ..known(7, None) };
        let keep = Step::Keep { news: NOTHING, give_number: true };
        assert_eq!(step(Some(&unnumbered), &described(None), SYNC), keep);
        let off = Speaker { numbers: false, ..SYNC };
        assert_eq!(step(Some(&unnumbered), &described(None), off), Step::See);
    }

    #[test]
    fn whoever_is_renamed_is_shown_so() {
        let renamed = Described { display: "uid=ada2,dc=x", ..described(None) };
        let news = IdentityNews { display: Some("uid=ada2,dc=x".to_owned()), ..NOTHING };
        assert_eq!(step(Some(&known(7, None)), &renamed, SYNC), Step::Keep { news, give_number: false });
    }
}
