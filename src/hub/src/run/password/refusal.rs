//! What a person reads whose password was not accepted.

use fedbridge_contract::password::Why;

/// Only who has typed the right password learns more than that it did not work.
pub(in crate::run) fn sentence(why: Why) -> &'static str {
    match why {
        Why::Unknown | Why::Wrong | Why::Locked | Why::Form => "The user name or password is not right.",
        Why::Disabled => "Your account is switched off.",
        Why::Expired => "Your account has expired. Please ask your administrator.",
        Why::PasswordExpired => "Your password has expired. Please ask your administrator.",
        Why::Hours => "You may not log in at this time.",
        Why::Workstation => "You may not log in from here.",
        Why::NotAllowed => "You may not log in to this application.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_without_the_right_password() {
        let all = [
            Why::Unknown,
            Why::Wrong,
            Why::Locked,
            Why::Form,
            Why::Disabled,
            Why::Expired,
            Why::PasswordExpired,
            Why::Hours,
            Why::Workstation,
            Why::NotAllowed,
        ];
        for why in all {
            assert_eq!(why.may_be_told(), sentence(why) != sentence(Why::Wrong), "{why:?}");
        }
    }
}
