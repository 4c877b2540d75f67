//! What stands before an app and behaves badly: it loses answers, and sends callers away.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::browser::HTTP;

pub struct Front {
    pub url: String,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// Calls, each with its time.
    calls: Vec<(String, Instant)>,
    /// Answers to so many POSTs of users are lost behind the deed.
    lose: usize,
    /// So many calls are answered with 429, and for so many seconds nobody may come again.
    busy: usize,
    rest: u64,
    /// Whom lists leave out without a word, as one does that moves on while it is read.
    left_out: Option<String>,
}

impl Front {
    pub async fn of(app: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let (app, shared) = (app.to_owned(), Arc::clone(&state));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, app.clone(), Arc::clone(&shared)));
            }
        });
        Self { url, state, serving }
    }

    pub fn lose(&self, answers: usize) {
        self.state.lock().unwrap().lose = answers;
    }

    pub fn send_away(&self, calls: usize, seconds: u64) {
        let mut state = self.state.lock().unwrap();
        (state.busy, state.rest) = (calls, seconds);
    }

    pub fn leave_out(&self, user_name: &str) {
        self.state.lock().unwrap().left_out = Some(user_name.to_owned());
    }

    pub fn calls(&self) -> Vec<(String, Instant)> {
        self.state.lock().unwrap().calls.clone()
    }

    pub fn count(&self, method: &str) -> usize {
        self.calls().iter().filter(|(call, _)| call.starts_with(method)).count()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A list that neither has somebody nor counts them.
fn without(user_name: &str, list: &str) -> Option<String> {
    let mut list: Value = serde_json::from_str(list).ok()?;
    let all = list["Resources"].as_array_mut()?;
    all.retain(|user| user["userName"] != user_name);
    list["totalResults"] = json!(all.len());
    Some(list.to_string())
}

/// Answers one request, and closes.
async fn answer(mut stream: TcpStream, app: String, state: Arc<Mutex<State>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |name: &str| {
        let mut named = head.split("\r\n").filter_map(|line| line.split_once(": "));
        named.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let length = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let (away, lost, left_out) = {
        let mut state = state.lock().unwrap();
        state.calls.push((format!("{method} {path}"), Instant::now()));
        let away = (state.busy > 0).then_some(state.rest);
        state.busy = state.busy.saturating_sub(1);
        let lost = away.is_none() && method == "POST" && path.starts_with("/Users") && state.lose > 0;
        state.lose -= usize::from(lost);
        (away, lost, state.left_out.clone())
    };
    if let Some(seconds) = away {
        let text = format!(
            "HTTP/1.1 429 Too Many\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(text.as_bytes()).await.ok()?;
        return stream.shutdown().await.ok();
    }
    let mut request = HTTP.request(Method::from_bytes(method.as_bytes()).ok()?, format!("{app}{path}")).body(body);
    for name in ["authorization", "content-type", "accept"] {
        if let Some(value) = header(name) {
            request = request.header(name, value);
        }
    }
    let answered = request.send().await.ok()?;
    let (status, text) = (answered.status().as_u16(), answered.text().await.ok()?);
    if lost {
        return None;
    }
    let text = match left_out {
        Some(name) if path.starts_with("/Users?") && !path.contains("filter=") => without(&name, &text)?,
        _ => text,
    };
    let kind = "application/scim+json";
    let said = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(said.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
