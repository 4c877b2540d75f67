//! A browser without a window: cookies by host, redirects one at a time or all, forms, frames.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, redirect::Policy};
use url::Url;

use super::html::{self, Form, LoggingOut};

/// What a browser would follow before a test is surely in a circle.
const HOPS: usize = 30;

/// A server that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(120);

/// One client for all tests: making one reads all root certificates, which keeps a core busy. It keeps no
/// connection, because each test has a runtime of its own.
pub static HTTP: LazyLock<Client> = LazyLock::new(|| {
    let client = Client::builder().redirect(Policy::none()).no_proxy().pool_max_idle_per_host(0);
    client.timeout(SILENCE).build().unwrap()
});

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

    /// Goes where a browser would go: redirects, forms with a SAML message, the page that logs out by frames.
    /// A redirect to a host that the test plays itself is given back as it is.
    pub async fn settle(&mut self, answer: Answer) -> Answer {
        let gone = |last: Answer| panic!("the browser is sent from {} to somebody who is gone: {last:?}", last.url);
        self.try_settle(answer).await.unwrap_or_else(gone)
    }

    /// The same, and where the browser is sent to somebody who is gone, the answer that sent it there.
    pub async fn settle_as_far_as_it_goes(&mut self, answer: Answer) -> Answer {
        self.try_settle(answer).await.unwrap_or_else(|last| last)
    }

    /// The same from an address.
    pub async fn visit(&mut self, url: &str) -> Answer {
        let answer = self.get(url).await;
        self.settle(answer).await
    }

    /// Fills in the page's form as a person does, and goes on.
    pub async fn log_in(&mut self, page: &Answer, user: &str) -> Answer {
        let form = Form::of(&page.body, &page.url).unwrap_or_else(|| panic!("no form at {}: {}", page.url, page.body));
        assert!(form.has("password"), "no login form at {}: {}", page.url, page.body);
        let form = form.set("username", user).set("password", &format!("{user}-password"));
        let answer = self.post(&form.action, &form.fields).await;
        self.settle(answer).await
    }

    /// Goes on as a person does on the pages below `host`: logs in where there is a form for that, and says yes where
    /// a page asks for it. Without a person it says yes, and logs in nowhere.
    pub async fn walk(&mut self, answer: Answer, host: &str, person: Option<(&str, &str)>) -> Answer {
        let mut page = self.settle(answer).await;
        for _ in 0..5 {
            if !page.url.starts_with(host) {
                break;
            }
            let Some(form) = Form::of(&page.body, &page.url) else { break };
            let form = match person {
                _ if !form.has("password") => form.pressed(&page.body),
                Some((user, password)) => {
                    let name = if form.has("user") { "user" } else { "username" };
                    form.set(name, user).set("password", password)
                }
                None => break,
            };
            let answer = self.post(&form.action, &form.fields).await;
            page = self.settle(answer).await;
        }
        page
    }

    /// Loads the frames of a page that tells others of a logout and is none of the bridge's, and presses its
    /// "Continue", where there is one.
    pub async fn load_frames_and_go_on(&mut self, page: Answer) -> Answer {
        for frame in html::frames(&page.body) {
            self.visit(&frame).await;
        }
        match html::next_by_get(&page.body, &page.url) {
            Some(next) => self.visit(&next).await,
            None => page,
        }
    }

    /// Boxed, because a frame may hold what is settled in turn.
    fn try_settle(&mut self, answer: Answer) -> Pin<Box<dyn Future<Output = Result<Answer, Answer>> + Send + '_>> {
        Box::pin(self.go_on(answer))
    }

    /// An error is the answer that leads to somebody who is gone.
    async fn go_on(&mut self, mut answer: Answer) -> Result<Answer, Answer> {
        for _ in 0..HOPS {
            let next = if let Some(location) = &answer.location {
                if !reachable(location) {
                    return Ok(answer);
                }
                self.try_get(&location.clone()).await
            } else if let Some(form) = Form::of(&answer.body, &answer.url).filter(Form::sends_itself) {
                if !reachable(&form.action) {
                    return Ok(answer);
                }
                self.try_post(&form.action, &form.fields).await
            } else if let Some(page) = LoggingOut::of(&answer.body) {
                self.wait_for_frames(&page).await;
                self.try_get(&page.next).await
            } else {
                return Ok(answer);
            };
            answer = next.ok_or(answer)?;
        }
        panic!("the browser goes in a circle at {}", answer.url);
    }

    /// Loads all frames at once, and waits as long as the page says.
    async fn wait_for_frames(&mut self, page: &LoggingOut) {
        let until = Instant::now() + Duration::from_secs(page.wait_seconds);
        let mut frames = tokio::task::JoinSet::new();
        for frame in page.frames.clone() {
            let mut browser = self.clone();
            frames.spawn(async move {
                if let Some(answer) = browser.try_get(&frame).await {
                    browser.settle_as_far_as_it_goes(answer).await;
                }
                browser
            });
        }
        while Instant::now() < until {
            if self.try_get(&page.poll).await.is_some_and(|answer| answer.status == 204) {
                // All have answered: the frames are about to end.
                let rest = async {
                    while let Some(Ok(browser)) = frames.join_next().await {
                        self.cookies.extend(browser.cookies);
                    }
                };
                let _ = tokio::time::timeout(Duration::from_secs(1), rest).await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        while let Some(Ok(browser)) = frames.try_join_next() {
            self.cookies.extend(browser.cookies);
        }
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
            let attributes = attributes.to_ascii_lowercase();
            if value.is_empty() || attributes.contains("max-age=0") || attributes.contains("1970") {
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

    /// The page without its style sheet, for a failure's report.
    pub fn shown(&self) -> &str {
        self.body.rsplit("</style>").next().unwrap_or_default()
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

/// Whether somebody of this test listens there: the discard port stands for an app that nobody runs.
fn reachable(url: &str) -> bool {
    let url = Url::parse(url).unwrap();
    url.host_str() == Some("127.0.0.1") && url.port() != Some(9)
}

fn host(url: &str) -> String {
    let url = Url::parse(url).unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap())
}
