//! The demo's visitor: a browser that follows redirects and presses the button
//! of each form, over real HTTP.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use reqwest::{Client, Response, redirect::Policy};
use serde_json::Value;
use url::Url;

/// Steps after which the visitor gives up.
const PATIENCE: usize = 20;

pub struct Visitor {
    http: Client,
    /// By name alone: every address of the demo is on one host, as browsers see it.
    cookies: BTreeMap<String, String>,
}

enum Step {
    Get(String),
    Post(String, String),
}

impl Visitor {
    pub fn new() -> anyhow::Result<Self> {
        let http = Client::builder().redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { http, cookies: BTreeMap::new() })
    }

    /// Opens an address and goes on until a JSON document is there.
    pub async fn open(&mut self, start: &str) -> anyhow::Result<Value> {
        let mut next = Step::Get(start.to_owned());
        for _ in 0..PATIENCE {
            let (url, request) = match &next {
                Step::Get(url) => (url.clone(), self.http.get(url)),
                Step::Post(url, body) => {
                    let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded");
                    (url.clone(), request.body(body.clone()))
                }
            };
            let header: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let response = request.header("cookie", header.join("; ")).send().await?;
            self.keep_cookies(&response);
            let status = response.status().as_u16();
            if let Some(location) = response.headers().get("location") {
                next = Step::Get(Url::parse(&url)?.join(location.to_str()?)?.into());
                continue;
            }
            let body = response.text().await?;
            if status != 200 {
                bail!("{url} answered {status}: {body}");
            }
            if let Ok(json) = serde_json::from_str(&body) {
                return Ok(json);
            }
            next = form(&body).with_context(|| format!("{url} shows a page without a form"))?;
        }
        bail!("no end after {PATIENCE} steps")
    }

    fn keep_cookies(&mut self, response: &Response) {
        for set in response.headers().get_all("set-cookie") {
            let pair = set.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            match pair.split_once('=') {
                Some((name, "")) => drop(self.cookies.remove(name)),
                Some((name, value)) => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
                None => {}
            }
        }
    }
}

/// The page's form with its hidden fields.
fn form(page: &str) -> Option<Step> {
    let action = unescape(attribute(page.split("<form").nth(1)?, "action")?);
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    for input in page.split("<input").skip(1) {
        let input = input.split('>').next()?;
        if let (Some(name), Some(value)) = (attribute(input, "name"), attribute(input, "value")) {
            body.append_pair(&unescape(name), &unescape(value));
        }
    }
    Some(Step::Post(action, body.finish()))
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

fn unescape(text: &str) -> String {
    [
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}
