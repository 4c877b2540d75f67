//! What a page wears: a language, and the tenant's colours and logo.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::config::{Locale, Look};
use fedbridge_contract::http::Dress;

use crate::words::Words;

/// Languages that a browser may list; the rest is not read.
const MAX_LANGUAGES: usize = 32;

const ALL: [Locale; 2] = [Locale::En, Locale::De];

/// A [`Dress`] as one browser sees it.
#[derive(Debug)]
pub(crate) struct Worn {
    pub words: Words,
    /// Checked: a `data:` address of a picture.
    pub logo: Option<String>,
    /// The tenant's colours as a style sheet of their own, behind that of all pages.
    pub paint: Option<Paint>,
    /// The colour of the page's icon, without the `#`.
    pub icon: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paint {
    pub css: String,
    /// For the policy: only this sheet is let in (CSP 3 section 2.3.1).
    pub source: String,
}

impl Worn {
    /// The dress decides; then the browser's languages, as far as they are offered; then the first offered.
    pub fn choose(dress: &Dress, accept_language: Option<&str>) -> Self {
        let offered = if dress.offered.is_empty() { &ALL[..] } else { &dress.offered };
        let preferred = || accept_language.and_then(|list| preferred(list, offered));
        let locale = dress.locale.or_else(preferred).or_else(|| offered.first().copied()).unwrap_or_default();
        let look = dress.look.as_deref();
        let (light, dark) = look.map_or((None, None), colours);
        Self {
            words: Words(locale),
            logo: look.and_then(|look| look.logo.clone()).filter(|logo| is_picture(logo)),
            paint: paint(light, dark),
            icon: light.map_or_else(|| "3a4fc4".to_owned(), Colour::hex),
        }
    }
}

/// The most wanted language among those offered (RFC 9110 section 12.5.4); of several, the first.
fn preferred(list: &str, offered: &[Locale]) -> Option<Locale> {
    let mut best: Option<(u16, Locale)> = None;
    for item in list.split(',').take(MAX_LANGUAGES) {
        let (tag, weight) = match item.split_once(';') {
            None => (item.trim(), Some(1000)),
            Some((tag, parameter)) => (tag.trim(), weight(parameter.trim())),
        };
        let locale = if tag == "*" { offered.first().copied() } else { Locale::of_tag(tag) };
        let (Some(weight @ 1..), Some(locale)) = (weight, locale) else { continue };
        if offered.contains(&locale) && best.is_none_or(|(most, _)| weight > most) {
            best = Some((weight, locale));
        }
    }
    best.map(|(_, locale)| locale)
}

/// A quality value in thousandths (RFC 9110 section 12.4.2).
fn weight(parameter: &str) -> Option<u16> {
    let value = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, fraction) {
        ("0", _) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// PNG, JPEG or WebP, as the configuration has them; nothing that runs script or fetches.
fn is_picture(address: &str) -> bool {
    let octets = ["png", "jpeg", "webp"].iter().find_map(|kind| {
        let after = address.strip_prefix("data:image/")?.strip_prefix(kind)?;
        after.strip_prefix(";base64,")
    });
    octets.is_some_and(|octets| {
        !octets.is_empty() && octets.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Colour([u8; 3]);

impl Colour {
    /// `#rrggbb` and nothing else: it goes into a style sheet.
    fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|rest| rest.len() == 6)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }

    fn hex(self) -> String {
        let Self([red, green, blue]) = self;
        format!("{red:02x}{green:02x}{blue:02x}")
    }

    /// So many hundredths of the way to another colour.
    fn towards(self, other: Self, hundredths: u16) -> Self {
        let mix = |from: u8, to: u8| {
            let sum = u16::from(from) * (100 - hundredths) + u16::from(to) * hundredths;
            u8::try_from(sum / 100).unwrap_or(u8::MAX)
        };
        Self([0, 1, 2].map(|at: usize| mix(self.0[at], other.0[at])))
    }
}

fn colours(look: &Look) -> (Option<Colour>, Option<Colour>) {
    let read = |text: &Option<String>| text.as_deref().and_then(Colour::read);
    (read(&look.accent), read(&look.accent_dark))
}

/// The colours that depend on the accent. The deeper one is farther from the ground, so what is written in
/// it, or on it, has more contrast than with the accent itself.
fn paint(light: Option<Colour>, dark: Option<Colour>) -> Option<Paint> {
    const BLACK: Colour = Colour([0; 3]);
    const WHITE: Colour = Colour([255; 3]);
    const NIGHT: Colour = Colour([0x0f, 0x12, 0x19]);
    let rule = |accent: Colour, end: Colour, deeper: u16, ground: Colour| {
        let deep = accent.towards(end, deeper).hex();
        let (tint, glow) = (ground.towards(accent, 8).hex(), ground.towards(accent, 12).hex());
        let accent = accent.hex();
        format!(":root{{--accent:#{accent};--accent-deep:#{deep};--tint:#{tint};--glow:#{glow}}}")
    };
    // Each in its own scheme: with one colour alone, the other scheme stays as it comes.
    let light = light.map(|accent| rule(accent, BLACK, 25, WHITE));
    let dark = dark.map(|accent| rule(accent, WHITE, 30, NIGHT));
    if light.is_none() && dark.is_none() {
        return None;
    }
    let scheme = |name: &str, rule: Option<String>| {
        rule.map_or_else(String::new, |rule| format!("@media (prefers-color-scheme:{name}){{{rule}}}"))
    };
    let css = format!("{}{}", scheme("light", light), scheme("dark", dark));
    let source = format!("'sha256-{}'", STANDARD.encode(openssl::sha::sha256(css.as_bytes())));
    Some(Paint { css, source })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn locale(locale: Option<Locale>, offered: &[Locale], accept: Option<&str>) -> Locale {
        let dress = Dress { look: None, locale, offered: offered.to_vec() };
        Worn::choose(&dress, accept).words.0
    }

    #[test]
    fn speaks_what_is_asked_for_then_what_the_browser_likes_then_what_comes_first() {
        use Locale::{De, En};
        assert_eq!(locale(Some(De), &[], Some("en")), De);
        for (accept, expected) in [
            ("de", De),
            ("de-AT", De),
            ("DE-ch, en;q=0.9", De),
            ("en;q=0.8, de;q=0.9", De),
            ("en;q=0.9,de;q=0.90", En),
            ("fr, de;q=0.1", De),
            ("fr", En),
            ("de;q=0, en;q=0.1", En),
            ("de;q=0", En),
            ("*", En),
            ("fr, *;q=0.5, de;q=0.6", De),
            ("de;q=1.001", En),
            ("de;q=x, en", En),
            ("de;level=1", En),
            ("", En),
            ("\u{e4}\u{1}", En),
        ] {
            assert_eq!(locale(None, &[], Some(accept)), expected, "{accept}");
        }
        assert_eq!(locale(None, &[De], Some("en")), De, "only German is offered");
        assert_eq!(locale(None, &[De, En], Some("fr")), De, "the tenant prefers it");
        assert_eq!(locale(None, &[De, En], None), De);
        assert_eq!(locale(None, &[De, En], Some("*")), De);
        let long = format!("{}de", "fr,".repeat(MAX_LANGUAGES));
        assert_eq!(locale(None, &[], Some(&long)), En, "far too many languages");
    }

    fn look(look: Look) -> Worn {
        Worn::choose(&Dress { look: Some(Arc::new(look)), locale: None, offered: Vec::new() }, None)
    }

    #[test]
    fn colours_are_six_digits_and_nothing_else() {
        let worn = look(Look { accent: Some("#0B6E4F".into()), accent_dark: Some("#7fe0bd".into()), logo: None });
        let css = worn.paint.unwrap().css;
        assert!(css.contains("--accent:#0b6e4f;") && css.contains("--accent:#7fe0bd;"), "{css}");
        assert_eq!(worn.icon, "0b6e4f");
        for bad in [
            "",
            "#",
            "0b6e4f",
            "#0b6e4",
            "#0b6e4f0",
            "#0b6e4g",
            "#+b6e4f",
            "red",
            "#fff",
            "#0b6e4f;}body{display:none",
            "url(//evil.example)",
            "#éé\u{1}",
            "</style>",
        ] {
            let worn = look(Look { accent: Some(bad.into()), accent_dark: Some(bad.into()), logo: None });
            assert_eq!(worn.paint, None, "{bad}");
            assert_eq!(worn.icon, "3a4fc4");
        }
        let one = look(Look { accent: Some("#000000".into()), accent_dark: Some("red".into()), logo: None });
        assert!(!one.paint.unwrap().css.contains("dark"), "the other scheme stays as it comes");
    }

    #[test]
    fn a_logo_is_a_picture_in_the_page() {
        let logo = |text: &str| look(Look { logo: Some(text.into()), ..Look::default() }).logo;
        for good in
            ["data:image/png;base64,iVBORw0KGgo=", "data:image/jpeg;base64,/9j/4A+=", "data:image/webp;base64,UklG"]
        {
            assert_eq!(logo(good).as_deref(), Some(good));
        }
        for bad in [
            "",
            "https://cdn.example/logo.png",
            "data:image/svg+xml;base64,PHN2Zz4=",
            "data:image/png;base64,",
            "data:image/png;base64,iVBO\" onerror=alert(1)",
            "data:image/png,iVBO",
            "data:text/html;base64,PHNj",
            "javascript:alert(1)",
        ] {
            assert_eq!(logo(bad), None, "{bad}");
        }
    }
}
