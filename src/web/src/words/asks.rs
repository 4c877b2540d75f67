//! What scopes and claims mean to the person who is asked for them.

/// OpenID Connect Core 5.1, 5.4 and 11, and what companies add. `None`: only the app knows.
pub(super) fn in_words(name: &str) -> Option<&'static str> {
    Some(match name {
        "openid" => "Your identity, so that it recognizes you",
        "profile" => "Your name and your profile",
        "email" => "Your e-mail address",
        "email_verified" => "Whether your e-mail address is confirmed",
        "address" => "Your postal address",
        "phone" | "phone_number" => "Your phone number",
        "phone_number_verified" => "Whether your phone number is confirmed",
        "groups" => "The groups that you belong to",
        "roles" => "Your roles",
        "entitlements" => "Your permissions",
        "department" => "Your department",
        "offline_access" => "Access while you are away",
        "name" => "Your name",
        "given_name" => "Your first name",
        "middle_name" => "Your middle name",
        "family_name" => "Your family name",
        "nickname" => "Your nickname",
        "preferred_username" => "Your user name",
        "picture" => "Your picture",
        "website" => "Your website",
        "gender" => "Your gender",
        "birthdate" => "Your date of birth",
        "zoneinfo" => "Your time zone",
        "locale" => "Your language",
        "updated_at" => "When your profile was last changed",
        _ => return None,
    })
}

/// Every text of [`in_words`].
#[cfg(test)]
pub(super) fn texts() -> Vec<&'static str> {
    let source = include_str!("asks.rs").split("_ => return None").next().unwrap_or_default();
    source.lines().filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\",")).collect()
}
