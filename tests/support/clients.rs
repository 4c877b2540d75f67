//! OIDC clients that are not ours, as a bridge file has them and as peers.

use std::path::Path;

use super::free_port;
use super::peers::Peer;

pub const SECRET: &str = "client-secret-client-secret-client-secret";

/// A client that is registered before it runs, so its port is chosen first.
pub struct Client {
    pub id: &'static str,
    /// The folder in tests/peers.
    pub peer: &'static str,
    pub told: Told,
    port: u16,
}

/// How a client hears of a logout that began elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    BackChannel,
    FrontChannel,
}

impl Client {
    pub fn new(id: &'static str, peer: &'static str) -> Self {
        Self { id, peer, told: Told::BackChannel, port: free_port() }
    }

    pub fn told(self, told: Told) -> Self {
        Self { told, ..self }
    }

    pub fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Its lines in the bridge file.
    pub fn yaml(&self) -> String {
        let (callback, back_channel) = match self.peer {
            "apache-openidc" => ("/protected/redirect_uri", "/protected/redirect_uri?logout=backchannel"),
            _ => ("/callback", "/backchannel-logout"),
        };
        let told = match self.told {
            Told::BackChannel => format!("backchannel_logout_uri: \"{}\"", self.at(back_channel)),
            Told::FrontChannel => format!("frontchannel_logout_uri: \"{}\"", self.at("/frontchannel-logout")),
        };
        format!(
            "      - client_id: {id}
        name: {id}
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{callback}\"]
        post_logout_redirect_uris: [\"{logged_out}\"]
        {told}
        grant_types: [authorization_code, refresh_token]
        scopes: [openid, profile, email, groups, offline_access]
",
            id = self.id,
            callback = self.at(callback),
            logged_out = self.at("/logged-out"),
        )
    }

    /// `issuer`: the tenant's.
    pub fn start(&self, dir: &Path, issuer: &str) -> Peer {
        self.start_with(dir, issuer, &[])
    }

    /// The same with more settings of the peer.
    pub fn start_with(&self, dir: &Path, issuer: &str, more: &[(&str, &str)]) -> Peer {
        let discovery = format!("{issuer}/.well-known/openid-configuration");
        let port = self.port.to_string();
        let mut settings = vec![
            ("PEER_PORT", port.as_str()),
            ("OIDC_ISSUER", issuer),
            ("OIDC_PROVIDER_METADATA_URL", &discovery),
            ("OIDC_CLIENT_ID", self.id),
            ("OIDC_CLIENT_SECRET", SECRET),
        ];
        settings.extend(more);
        Peer::start(self.peer, &dir.join(self.id), &settings)
    }

    /// Where it says who is logged in, without starting a login.
    pub fn session(&self) -> String {
        match self.peer {
            "apache-openidc" => self.at("/protected/redirect_uri?info=json"),
            _ => self.at("/claims"),
        }
    }
}
