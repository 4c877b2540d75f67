//! A browser without a window: cookies by host, redirects one at a time, forms.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use reqwest::{Client, Method, RequestBuilder, redirect::Policy};
use url::Url;

/// One client for all tests: making one reads all root certificates, which keeps a core busy. It keeps no
/// connection, because each test has a runtime of its own.
pub static HTTP: LazyLock<Client> =
    LazyLock::new(|| Client::builder().redirect(Policy::none()).no_proxy().pool_max_idle_per_host(0).build().unwrap());

/// Cookies of one person.
#[derive(Clone)]
pub struct Browser {
    /// By host and port: unlike a real browser, so that peers don't disturb each other.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub url: String,
    pub location: Option<String>,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Browser {
    pub fn new() -> Self {
        Self { cookies: BTreeMap::new() }
    }

    pub async fn get(&mut self, url: &str) -> Answer {
        let request = HTTP.request(Method::GET, url);
        self.send(url, request).await
    }

    pub async fn post(&mut self, url: &str, fields: &[(String, String)]) -> Answer {
        let request = self.form(url, fields);
        self.send(url, request).await
    }

    /// Cookies of the host of `url`, by name.
    pub fn cookies(&self, url: &str) -> BTreeMap<String, String> {
        self.cookies.get(&host(url)).cloned().unwrap_or_default()
    }

    /// Presents the cookies of one host to another one too, as behind a load balancer.
    pub fn share_cookies(&mut self, from: &str, to: &str) {
        let jar = self.cookies(from);
        self.cookies.insert(host(to), jar);
    }

    /// As [`Browser::get`], without an answer when the server is gone.
    pub async fn try_get(&mut self, url: &str) -> Option<Answer> {
        let request = HTTP.request(Method::GET, url);
        self.try_send(url, request).await
    }

    /// As [`Browser::post`], without an answer when the server is gone.
    pub async fn try_post(&mut self, url: &str, fields: &[(String, String)]) -> Option<Answer> {
        let request = self.form(url, fields);
        self.try_send(url, request).await
    }

    fn form(&self, url: &str, fields: &[(String, String)]) -> RequestBuilder {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        HTTP.request(Method::POST, url).header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    async fn send(&mut self, url: &str, request: RequestBuilder) -> Answer {
        self.exchange(url, request).await.unwrap_or_else(|error| panic!("{url}: {error:?}"))
    }

    async fn try_send(&mut self, url: &str, request: RequestBuilder) -> Option<Answer> {
        self.exchange(url, request).await.ok()
    }

    async fn exchange(&mut self, url: &str, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let jar = self.cookies.entry(host(url)).or_default();
        let header: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if header.is_empty() { request } else { request.header("cookie", header.join("; ")) };
        let response = request.send().await?;
        for set in response.headers().get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let (pair, attributes) = set.split_once(';').unwrap_or((set, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() || attributes.to_ascii_lowercase().contains("max-age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        let headers = response.headers().clone();
        let base = Url::parse(url).unwrap();
        let location = headers.get("location").map(|value| base.join(value.to_str().unwrap()).unwrap().to_string());
        let status = response.status().as_u16();
        Ok(Answer { status, url: url.to_owned(), location, headers, body: response.text().await? })
    }
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} is no JSON: {}", self.url, self.body))
    }

    /// Parameters of the redirect's query.
    pub fn redirect_params(&self) -> BTreeMap<String, String> {
        let location = self.location.as_ref().unwrap_or_else(|| panic!("no redirect: {self:?}"));
        Url::parse(location).unwrap().query_pairs().into_owned().collect()
    }

    pub fn redirect_param(&self, name: &str) -> String {
        let params = self.redirect_params();
        params.get(name).cloned().unwrap_or_else(|| panic!("no {name} in {params:?}"))
    }
}

fn host(url: &str) -> String {
    let url = Url::parse(url).unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap())
}
