//! What a tenant has besides: how its pages look, their languages, and where its partners may be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::config::{Locale, Look, SecondFactorPolicy};
use fedbridge_hub::spec::TenantExtras;
use serde_json::{Map, Value, json};

use crate::egress::hosts;
use crate::settings::complaints::Complaints;

use super::fields::Fields;
use super::node::Node;
use super::secrets::octets_beside;

/// The largest picture.
const LARGEST: usize = 64 * 1024;

/// WCAG 2.2, 1.4.3: the contrast of a button's words.
const CONTRAST: f64 = 4.5;

/// What stands on a button, on light ground and on dark.
const ON_ACCENT: [u8; 3] = [0xff, 0xff, 0xff];
const ON_ACCENT_DARK: [u8; 3] = [0x12, 0x18, 0x3a];

/// Reads `branding`, `locales`, `egress` and `second_factor`.
pub fn read(tenant: &mut Fields<'_>, complaints: &mut Complaints) -> TenantExtras {
    TenantExtras {
        look: branding(tenant, complaints),
        locales: locales(tenant, complaints),
        egress_hosts: egress(tenant, complaints),
        // Read beside its apps, by `ldap_directory`.
        ldap: None,
        second_factor: second_factor(tenant, complaints),
    }
}

/// The settings as a bridge file has them.
pub fn written(extras: &TenantExtras) -> Map<String, Value> {
    let mut out = Map::new();
    if let Some(look) = &extras.look {
        let logo = look.logo.as_ref().map(|logo| json!({ "data": logo }));
        let parts = [("logo", logo), ("accent", text(&look.accent)), ("accent_dark", text(&look.accent_dark))];
        let parts = parts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        out.insert("branding".into(), Value::Object(parts.collect()));
    }
    if !extras.locales.is_empty() {
        out.insert("locales".into(), extras.locales.iter().map(|locale| json!(locale.tag())).collect());
    }
    if let Some(hosts) = &extras.egress_hosts {
        out.insert("egress".into(), json!({ "hosts": hosts }));
    }
    if extras.second_factor != SecondFactorPolicy::Off {
        out.insert("second_factor".into(), json!(extras.second_factor));
    }
    out
}

fn text(text: &Option<String>) -> Option<Value> {
    text.as_ref().map(|text| json!(text))
}

fn branding(tenant: &mut Fields<'_>, complaints: &mut Complaints) -> Option<Look> {
    let node = tenant.take("branding")?;
    let mut fields = Fields::of(node, tenant.path("branding"), complaints)?;
    let logo = logo(&mut fields, complaints);
    let accent = colour(&mut fields, "accent", ON_ACCENT, complaints);
    let accent_dark = colour(&mut fields, "accent_dark", ON_ACCENT_DARK, complaints);
    fields.finish(complaints);
    let look = Look { logo, accent, accent_dark };
    (look != Look::default()).then_some(look)
}

/// `{ file: PATH }`, or `{ data: ADDRESS }` as an export writes it.
fn logo(branding: &mut Fields<'_>, complaints: &mut Complaints) -> Option<String> {
    let node = branding.take("logo")?;
    let path = branding.path("logo");
    let mut fields = Fields::of(node, path.clone(), complaints)?;
    let before = complaints.len();
    let (file, data) = (fields.text("file", complaints), fields.text("data", complaints));
    fields.finish(complaints);
    let read = match (&file, &data) {
        (Some(file), None) => octets_beside(node, file, LARGEST),
        (None, Some(data)) => {
            let base64 = data.split_once(";base64,").map(|(_, base64)| base64);
            let octets = base64.and_then(|base64| STANDARD.decode(base64).ok());
            octets.ok_or_else(|| "expected an address that begins with data:image/ and is in base64".to_owned())
        }
        _ if complaints.len() > before => return None,
        _ => Err("expected one of { file: PATH } or { data: ADDRESS }".to_owned()),
    };
    let place = if file.is_some() { node.place_of("file") } else { &node.place };
    let picture = read.and_then(|octets| picture(&octets));
    picture.map_err(|message| complaints.add(place, path, message)).ok()
}

/// The picture as a `data:` address. Its own octets say what it is, not its name.
fn picture(octets: &[u8]) -> Result<String, String> {
    let kind = match octets {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => "png",
        [0xff, 0xd8, 0xff, ..] => "jpeg",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "webp",
        _ => return Err("the picture is neither PNG nor JPEG nor WebP".to_owned()),
    };
    if octets.len() > LARGEST {
        return Err(format!("the picture is larger than {} KiB", LARGEST / 1024));
    }
    Ok(format!("data:image/{kind};base64,{}", STANDARD.encode(octets)))
}

fn colour(fields: &mut Fields<'_>, key: &'static str, words: [u8; 3], complaints: &mut Complaints) -> Option<String> {
    let text = fields.text(key, complaints)?;
    let (place, path) = (fields.node().place_of(key), fields.path(key));
    let Some(parts) = parts(&text) else {
        complaints.add(place, path, format!("expected a colour such as \"#3a4fc4\", found `{text}`"));
        return None;
    };
    let contrast = contrast(parts, words);
    if contrast < CONTRAST {
        let [red, green, blue] = words;
        let message = format!(
            "words in #{red:02x}{green:02x}{blue:02x} on it have a contrast of {contrast:.1} and need {CONTRAST}; \
             take a {} colour",
            if words == ON_ACCENT { "darker" } else { "lighter" }
        );
        complaints.add(place, path, message);
    }
    Some(text.to_ascii_lowercase())
}

fn parts(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let number = u32::from_str_radix(digits, 16).ok()?;
    let [_, red, green, blue] = number.to_be_bytes();
    Some([red, green, blue])
}

/// WCAG 2.2, "contrast ratio" and "relative luminance".
fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let luminance = |colour: [u8; 3]| {
        let [red, green, blue] = colour.map(|part| match f64::from(part) / 255.0 {
            dark if dark <= 0.040_45 => dark / 12.92,
            light => ((light + 0.055) / 1.055).powf(2.4),
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05
    };
    let (a, b) = (luminance(a), luminance(b));
    a.max(b) / a.min(b)
}

fn locales(tenant: &mut Fields<'_>, complaints: &mut Complaints) -> Vec<Locale> {
    let all = [Locale::En, Locale::De];
    let mut locales = Vec::new();
    for (index, (text, place)) in tenant.texts("locales", complaints).unwrap_or_default().into_iter().enumerate() {
        match all.iter().find(|locale| locale.tag() == text) {
            Some(locale) => locales.push(*locale),
            None => {
                let known = all.map(Locale::tag).join(" and ");
                let path = format!("{}[{index}]", tenant.path("locales"));
                complaints.add(place, path, format!("pages don't speak `{text}`; they speak {known}"));
            }
        }
    }
    locales
}

fn second_factor(tenant: &mut Fields<'_>, complaints: &mut Complaints) -> SecondFactorPolicy {
    let words = [
        ("off", SecondFactorPolicy::Off),
        ("offered", SecondFactorPolicy::Offered),
        ("required", SecondFactorPolicy::Required),
    ];
    tenant.choice("second_factor", &words, complaints).unwrap_or_default()
}

fn egress(tenant: &mut Fields<'_>, complaints: &mut Complaints) -> Option<Vec<String>> {
    let node: &Node = tenant.take("egress")?;
    let mut fields = Fields::of(node, tenant.path("egress"), complaints)?;
    let found = fields.texts("hosts", complaints);
    if found.is_none() {
        complaints.add(&node.place, fields.path("hosts"), "missing; it lists the hosts that may be fetched from");
    }
    let mut patterns = Vec::new();
    for (index, (text, place)) in found.unwrap_or_default().into_iter().enumerate() {
        match hosts::pattern(&text) {
            Ok(pattern) => patterns.push(pattern),
            Err(message) => complaints.add(place, format!("{}[{index}]", fields.path("hosts")), message),
        }
    }
    fields.finish(complaints);
    Some(patterns)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fedbridge_hub::spec::Configuration;

    use super::*;
    use crate::bridge::tests::{folder, load_against, load_text};

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

    /// Reads a tenant with these lines, beside a logo of each kind.
    async fn read_lines(name: &str, lines: &str) -> Result<TenantExtras, Vec<String>> {
        let folder = folder(name);
        std::fs::write(folder.join("logo.png"), PNG).unwrap();
        std::fs::write(folder.join("logo.svg"), "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>").unwrap();
        std::fs::write(folder.join("big.png"), [PNG, &vec![0; LARGEST]].concat()).unwrap();
        let file = folder.join("bridge.yaml");
        std::fs::write(&file, format!("version: 1\ntenants:\n  - slug: acme\n{lines}")).unwrap();
        let read = load_against(&file, &Configuration::default()).await;
        let short = |line: String| line.split_once("bridge.yaml:").map_or(line.clone(), |(_, rest)| rest.to_owned());
        read.map(|mut desired| desired.tenants.remove(0).extras)
            .map_err(|found| found.iter().map(|complaint| short(complaint.to_string())).collect())
    }

    #[tokio::test]
    async fn extras_are_read_and_written_as_they_were() {
        let lines = "    branding: { logo: { file: logo.png }, accent: \"#3A4fc4\", accent_dark: \"#a9b7ff\" }\n    \
                     locales: [de, en]\n    egress: { hosts: [Login.Example, \"*.okta.example\"] }\n    \
                     second_factor: required\n";
        let extras = read_lines("extras", lines).await.unwrap();
        let look = extras.look.clone().unwrap();
        assert_eq!(look.logo.unwrap(), format!("data:image/png;base64,{}", STANDARD.encode(PNG)));
        assert_eq!(look.accent.unwrap(), "#3a4fc4");
        assert_eq!(extras.locales, [Locale::De, Locale::En]);
        assert_eq!(extras.egress_hosts.as_deref().unwrap(), ["login.example", "*.okta.example"]);
        assert_eq!(extras.second_factor, SecondFactorPolicy::Required);
        let mut tenant = written(&extras);
        tenant.insert("slug".into(), json!("acme"));
        let text = json!({ "version": 1, "tenants": [tenant] }).to_string();
        let again = load_text("extras-again", &text, &Configuration::default()).await.unwrap();
        assert_eq!(again.tenants[0].extras, extras);
        assert_eq!(read_lines("extras-none", "").await.unwrap(), TenantExtras::default());
    }

    #[tokio::test]
    async fn wrong_extras_are_complained_about_with_their_line() {
        for (lines, want) in [
            ("branding: { logo: { file: logo.svg } }", "branding.logo: the picture is neither PNG nor JPEG nor WebP"),
            ("branding: { logo: { file: big.png } }", "branding.logo: the picture is larger than 64 KiB"),
            ("branding: { logo: { file: none.png } }", "branding.logo: the file "),
            (
                "branding: { logo: { data: \"https://evil.example/x\" } }",
                "branding.logo: expected an address that begins",
            ),
            ("branding: { logo: {} }", "branding.logo: expected one of { file: PATH }"),
            ("branding: { logo: logo.png }", "branding.logo: expected a map, found text"),
            ("branding: { accent: red }", "branding.accent: expected a colour such as \"#3a4fc4\", found `red`"),
            ("branding: { accent: \"#fff;}\" }", "branding.accent: expected a colour"),
            ("branding: { accent: \"#ffee00\" }", "branding.accent: words in #ffffff on it have a contrast of 1.2"),
            ("branding: { accent_dark: \"#1a2040\" }", "branding.accent_dark: words in #12183a on it have a contrast"),
            ("branding: { accnt: x }", "branding.accnt: unknown key; the nearest known one is `accent`"),
            ("branding: 7", "branding: expected a map, found a number"),
            ("locales: [fr]", "locales[0]: pages don't speak `fr`; they speak en and de"),
            ("locales: [en, en]", "locales[1]: `en` stands here twice"),
            ("locales: en", "locales: expected a list, found text"),
            ("second_factor: yes", "second_factor: expected one of off, offered, required, found `yes`"),
            ("egress: {}", "egress.hosts: missing"),
            ("egress: { hosts: [\"https://a.example\"] }", "egress.hosts[0]: `https://a.example` is not a host"),
            ("egress: { hosts: [a.example], ports: [1] }", "egress.ports: unknown key"),
            ("egress: [a.example]", "egress: expected a map, found a list"),
        ] {
            let found = read_lines("extras-wrong", &format!("    {lines}\n")).await.unwrap_err();
            let want = format!("4: tenants[acme].{want}");
            assert!(found.len() == 1 && found[0].starts_with(&want), "{want}: {found:#?}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let rounded = |a, b| (contrast(a, b) * 100.0).round() / 100.0;
        assert_eq!(rounded([0, 0, 0], [255, 255, 255]), 21.0);
        assert_eq!(rounded([0x77, 0x77, 0x77], [255, 255, 255]), 4.48);
        assert_eq!(rounded([0x3a, 0x4f, 0xc4], ON_ACCENT), rounded(ON_ACCENT, [0x3a, 0x4f, 0xc4]));
        assert!(contrast([0x3a, 0x4f, 0xc4], ON_ACCENT) >= CONTRAST, "the pages' own colour");
        assert!(contrast([0xa9, 0xb7, 0xff], ON_ACCENT_DARK) >= CONTRAST, "the pages' own dark colour");
    }
}
