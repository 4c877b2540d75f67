//! As much of HTML as the bridge's and the peers' pages need: forms, frames and links.

use url::Url;

/// A form that a browser would send by itself, or that a person fills in.
#[derive(Debug, Clone)]
pub struct Form {
    pub action: String,
    pub fields: Vec<(String, String)>,
}

impl Form {
    /// The page's first form that is sent by POST.
    pub fn of(page: &str, at: &str) -> Option<Self> {
        Self::all(page, at).into_iter().next()
    }

    /// The first one of these whose address ends so.
    pub fn leading_to(page: &str, at: &str, ending: &str) -> Option<Self> {
        Self::all(page, at).into_iter().find(|form| form.action.ends_with(ending))
    }

    fn all(page: &str, at: &str) -> Vec<Self> {
        let at = Url::parse(at).unwrap();
        let posted = |tag: &&str| attribute(tag, "method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
        let forms = elements(page, "form").into_iter().filter(|(_, tag)| posted(tag));
        let form = |(start, tag): (usize, &str)| {
            let inside = page[start..].split("</form>").next().unwrap_or_default();
            let action = at.join(&attribute(tag, "action").unwrap_or_default()).unwrap().to_string();
            Self { action, fields: inputs(inside) }
        };
        forms.map(form).collect()
    }

    /// Sent by the page's first button that has a name.
    pub fn pressed(self, page: &str) -> Self {
        let button = elements(page, "button").into_iter().find_map(|(_, tag)| {
            let value = attribute(tag, "value").unwrap_or_default();
            attribute(tag, "name").map(|name| (name, value))
        });
        match button {
            Some((name, value)) => self.set(&name, &value),
            None => self,
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    /// Whether it carries a SAML message, or the answer of an OpenID provider, which a browser sends on without a
    /// person.
    pub fn sends_itself(&self) -> bool {
        let answer = self.has("state") && (self.has("code") || self.has("error"));
        answer || self.has("SAMLRequest") || self.has("SAMLResponse")
    }

    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The bridge's page that tells apps by frames.
#[derive(Debug, Clone)]
pub struct LoggingOut {
    pub frames: Vec<String>,
    pub poll: String,
    pub next: String,
    pub wait_seconds: u64,
}

impl LoggingOut {
    pub fn of(page: &str) -> Option<Self> {
        let links = elements(page, "a");
        let (_, next) = links.into_iter().find(|(_, tag)| attribute(tag, "data-poll").is_some())?;
        Some(Self {
            frames: frames(page),
            poll: attribute(next, "data-poll")?,
            next: attribute(next, "href")?,
            wait_seconds: attribute(next, "data-wait")?.parse().ok()?,
        })
    }
}

/// Where the page's first form leads that is sent by GET.
pub fn next_by_get(page: &str, at: &str) -> Option<String> {
    let forms = elements(page, "form");
    let (start, tag) = forms
        .into_iter()
        .find(|(_, tag)| attribute(tag, "method").is_some_and(|method| method.eq_ignore_ascii_case("get")))?;
    let inside = page[start..].split("</form>").next().unwrap_or_default();
    let mut next = Url::parse(at).unwrap().join(&attribute(tag, "action")?).unwrap();
    next.query_pairs_mut().clear().extend_pairs(inputs(inside));
    Some(next.to_string())
}

/// What the page's frames show.
pub fn frames(page: &str) -> Vec<String> {
    elements(page, "iframe").into_iter().filter_map(|(_, tag)| attribute(tag, "src")).collect()
}

fn inputs(form: &str) -> Vec<(String, String)> {
    elements(form, "input")
        .into_iter()
        .filter_map(|(_, input)| Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default())))
        .collect()
}

/// Start tags of one name, with where they begin.
fn elements<'p>(page: &'p str, name: &str) -> Vec<(usize, &'p str)> {
    let open = format!("<{name}");
    let mut found = Vec::new();
    for (start, _) in page.match_indices(&open) {
        let after = page.as_bytes().get(start + open.len());
        if after.is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b'>')
            && let Some(length) = page[start..].find('>')
        {
            found.push((start, &page[start..start + length]));
        }
    }
    found
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let open = format!("{name}=");
    let (start, _) =
        tag.match_indices(&open).find(|(start, _)| *start > 0 && tag.as_bytes()[start - 1].is_ascii_whitespace())?;
    let rest = &tag[start + open.len()..];
    let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    Some(unescaped(rest[1..].split(quote).next()?))
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let name = rest[1..].split(';').next().unwrap_or_default();
        // LemonLDAP::NG writes addresses as they are; a browser takes that for an ampersand too.
        if name.len() + 1 == rest.len() || name.contains('=') {
            out.push('&');
            rest = &rest[1..];
            continue;
        }
        let number = match name.strip_prefix('#') {
            Some(number) => match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => number.parse().ok(),
            },
            None => None,
        };
        out.push(match (name, number) {
            (_, Some(number)) => char::from_u32(number).unwrap(),
            ("amp", _) => '&',
            ("lt", _) => '<',
            ("gt", _) => '>',
            ("quot", _) => '"',
            ("apos", _) => '\'',
            _ => panic!("an unknown reference &{name};"),
        });
        rest = &rest[name.len() + 2..];
    }
    out + rest
}
