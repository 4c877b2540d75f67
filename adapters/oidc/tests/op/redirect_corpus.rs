//! Redirect addresses that are almost the registered one (RFC 9700 section 4.1).

use fedbridge_contract::http::ReplyKind;

use crate::support::{World, front_params, page_status, world};

async fn refused(world: &World, client: &str, uri: &str) {
    let mut params = world.request(client, "openid");
    params.retain(|(name, _)| *name != "redirect_uri");
    params.push(("redirect_uri", uri.to_owned()));
    assert_eq!(page_status(world.authorize(&params).await), 400, "{client} was answered at {uri}");
}

/// Registered: `https://portal.example/callback` and `https://portal.example/other?x=1`.
#[tokio::test]
async fn nothing_but_the_registered_text_matches() {
    let world = world();
    for uri in [
        "https://portal.example/callback/",
        "https://portal.example/callback?",
        "https://portal.example/callback?x=1",
        "https://portal.example/callback#",
        "https://portal.example/callback#x",
        "https://portal.example/Callback",
        "https://portal.example/callback.html",
        "https://portal.example/callback2",
        "https://portal.example/callbac",
        "https://portal.example/",
        "https://portal.example",
        "https://portal.example//callback",
        "https://portal.example/./callback",
        "https://portal.example/x/../callback",
        "https://portal.example/callback/../evil",
        "https://portal.example/callback/..",
        "https://portal.example/callback/..;/evil",
        "https://portal.example/callback;evil",
        "https://portal.example/callback%2f..%2fevil",
        "https://portal.example/%63allback",
        "https://portal.example/callback%00",
        "https://portal.example/callback%20",
        "https://portal.example/callback\0",
        "https://portal.example/callback ",
        " https://portal.example/callback",
        "https://portal.example/callback\n",
        "https://portal.example/callback\r\nSet-Cookie: a=b",
        "\thttps://portal.example/callback",
        "https://portal.example/call\tback",
        "https://portal.example:443/callback",
        "https://portal.example:8443/callback",
        "https://portal.example:/callback",
        "https://portal.example./callback",
        "https://PORTAL.example/callback",
        "HTTPS://portal.example/callback",
        "http://portal.example/callback",
        "https:/portal.example/callback",
        "https:portal.example/callback",
        "https:///portal.example/callback",
        "//portal.example/callback",
        "/callback",
        "callback",
        "portal.example/callback",
        "https://portal.example@evil.example/callback",
        "https://evil.example@portal.example/callback",
        "https://portal.example:x@evil.example/callback",
        "https://user@portal.example/callback",
        "https://user:pass@portal.example/callback",
        "https://@portal.example/callback",
        "https://portal.example@@evil.example/callback",
        "https://portal.example%40evil.example/callback",
        "https://portal.example\\@evil.example/callback",
        "https://evil.example\\@portal.example/callback",
        "https://portal.example\\.evil.example/callback",
        "https:\\\\portal.example\\callback",
        "https://portal.example.evil.example/callback",
        "https://evilportal.example/callback",
        "https://evil.example/https://portal.example/callback",
        "https://evil.example/?u=https://portal.example/callback",
        "https://evil.example#https://portal.example/callback",
        "https://evil.example#@portal.example/callback",
        "https://portal.example%00.evil.example/callback",
        "https://portal.example%2eevil.example/callback",
        "https://portal。example/callback",
        "https://pоrtal.example/callback",
        "https://xn--prtal-4ve.example/callback",
        "https://[portal.example]/callback",
        "https://portal.example/callback\u{202e}",
        "https://portal.example/\u{ff43}allback",
        "https://portal.example/other",
        "https://portal.example/other?x=2",
        "https://portal.example/other?x=1&y=2",
        "https://portal.example/other?y=2&x=1",
        "https://portal.example/other?X=1",
        "https://portal.example/other?x=1#",
        "https://portal.example/other?x=%31",
        "javascript:alert(1)",
        "javascript://portal.example/callback%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:msgbox(1)",
        "file:///etc/passwd",
        "about:blank",
        "blob:https://portal.example/callback",
        "view-source:https://portal.example/callback",
        "*",
        "https://*",
        "https://portal.example/*",
        "com.example.app:/cb",
        "null",
    ] {
        refused(&world, "portal", uri).await;
    }
}

/// Registered: `http://127.0.0.1/cb`, `http://[::1]:9/cb?a=b`, `http://localhost:7000/cb`,
/// `com.example.app:/cb`, `https://native.example/cb`.
#[tokio::test]
async fn of_a_native_app_only_the_loopback_port_may_vary() {
    let world = world();
    for uri in [
        "http://127.0.0.1/cb",
        "http://127.0.0.1:1/cb",
        "http://127.0.0.1:50000/cb",
        "http://127.0.0.1:65535/cb",
        "http://[::1]/cb?a=b",
        "http://[::1]:9/cb?a=b",
        "http://[::1]:40000/cb?a=b",
        "http://localhost:7000/cb",
        "com.example.app:/cb",
        "https://native.example/cb",
    ] {
        let mut params = world.request("native", "openid");
        params.retain(|(name, _)| *name != "redirect_uri");
        params.push(("redirect_uri", uri.to_owned()));
        let login = world.accepted(&params).await;
        let identity = world.identity(&world.acme, login.scope.clone());
        let (reply, _) = world.finish(&world.acme, &login, &identity).await;
        assert!(matches!(reply.kind, ReplyKind::Redirect(_)));
        assert_eq!(front_params(&reply).0, uri.split('?').next().unwrap());
    }
    for uri in [
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:01/cb",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:99999999999/cb",
        "http://127.0.0.1:80x/cb",
        "http://127.0.0.1:+80/cb",
        "http://127.0.0.1:80@evil.example/cb",
        "http://127.0.0.1:80#@evil.example/cb",
        "http://127.0.0.1@evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1evil/cb",
        "http://127.0.0.1:5000/cb/",
        "http://127.0.0.1:5000/cb?x",
        "http://127.0.0.1:5000/other",
        "http://127.0.0.1:5000",
        "http://127.0.0.2:5000/cb",
        "http://127.1:5000/cb",
        "http://0x7f000001/cb",
        "http://2130706433/cb",
        "https://127.0.0.1:5000/cb",
        "http://[::1]:40000/cb",
        "http://[::1]:40000/cb?a=c",
        "http://[0:0:0:0:0:0:0:1]:9/cb?a=b",
        "http://[::ffff:127.0.0.1]:9/cb?a=b",
        "http://localhost/cb",
        "http://localhost:7001/cb",
        "http://localhost.evil.example:7000/cb",
        "com.example.app:/cb2",
        "com.example.app://cb",
        "com.example.app:cb",
        "https://native.example:8443/cb",
        "https://native.example/cb/",
    ] {
        refused(&world, "native", uri).await;
    }
}

/// A confidential client is a server: it knows its port.
#[tokio::test]
async fn of_a_confidential_client_not_even_the_port_may_vary() {
    let world = world();
    let mut params = world.request("local", "openid");
    params.retain(|(name, _)| *name != "redirect_uri");
    params.push(("redirect_uri", "http://127.0.0.1:3000/cb".into()));
    world.accepted(&params).await;
    for uri in ["http://127.0.0.1:3001/cb", "http://127.0.0.1/cb", "http://[::1]:3000/cb"] {
        refused(&world, "local", uri).await;
    }
}
