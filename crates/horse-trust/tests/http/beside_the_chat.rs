//! Beside the chat: what is no route, the page, CORS, and the client bundle.

use std::path::Path;

use http::{Method, StatusCode};

use super::person::refused;
use crate::fixture::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_route() {
    let server = Server::start().await;
    for (method, path) in [
        (Method::GET, "/nowhere"),
        (Method::GET, "/socket.io/nothing.js"),
        (Method::POST, "/api/x"),
        (Method::DELETE, "/api/auth/me"),
        (Method::GET, "/api/auth/login"),
        (Method::PUT, "/health"),
        (Method::POST, "/"),
    ] {
        refused(&server.send(server.request(method, path), "").await, 404, "Route not found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page() {
    let server = Server::start().await;
    let page = server.get("/", "").await;
    assert!(page.text().contains("socket.io-client"));
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert!(page.header("content-security-policy").unwrap().contains("connect-src 'self';"));
    assert_eq!(page.header("cross-origin-opener-policy"), Some("same-origin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_browsers_to_be_strict() {
    let server = Server::start().await;
    for path in ["/", "/health", "/nowhere", "/api/auth/me", "/docs/", "/docs/openapi.yaml", "/demo.json"] {
        let answer = server.get(path, "").await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
        assert_eq!(answer.header("strict-transport-security"), None, "{path}: came without TLS");
        let by_tls = server.request(Method::GET, path).header("x-forwarded-proto", "https");
        let by_tls = server.send(by_tls, "").await;
        assert_eq!(by_tls.header("strict-transport-security"), Some("max-age=31536000"), "{path}");
    }
    let bundle = server.get("/socket.io/socket.io.min.js", "").await;
    if bundle.status == StatusCode::OK {
        assert_eq!(bundle.header("cross-origin-resource-policy"), Some("cross-origin"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_of_the_named_origins_may_call() {
    let server =
        Server::with(|config| config.cors_origins = "https://a.example,https://b.example".parse().unwrap())
            .await;
    let from = async |server: &Server, origin: &str, path: &str| {
        server.send(server.request(Method::GET, path).header("origin", origin), "").await
    };
    for path in ["/health", "/nowhere", "/api/auth/me", "/socket.io/?EIO=4&transport=polling"] {
        let allowed = from(&server, "https://b.example", path).await;
        assert_eq!(allowed.header("access-control-allow-origin"), Some("https://b.example"), "{path}");
        assert_eq!(allowed.header("access-control-allow-credentials"), Some("true"));
        let other = from(&server, "https://c.example", path).await;
        assert_eq!(other.header("access-control-allow-origin"), None, "{path}");
    }
    let written = "https://App.Example.com,https://c.example:443,https://*.d.example,capacitor://localhost";
    let others = Server::with(|config| config.cors_origins = written.parse().unwrap()).await;
    for origin in
        ["https://app.example.com", "https://c.example", "https://x.y.d.example", "capacitor://localhost"]
    {
        let allowed = from(&others, origin, "/socket.io/?EIO=4&transport=polling").await;
        assert_eq!(allowed.header("access-control-allow-origin"), Some(origin));
        assert_eq!(allowed.header("vary").map(|vary| vary.contains("origin")), Some(true));
    }
    for origin in ["https://d.example", "http://x.d.example", "null", "ionic://localhost"] {
        let other = from(&others, origin, "/health").await;
        assert_eq!(other.header("access-control-allow-origin"), None, "{origin}");
    }
    let preflight = server
        .request(Method::OPTIONS, "/api/auth/login")
        .header("origin", "https://a.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,x-custom");
    let preflight = server.send(preflight, "").await;
    assert_eq!(preflight.header("access-control-allow-headers"), Some("authorization,x-custom"));
    assert_eq!(preflight.header("access-control-max-age"), Some("7200"));
    let methods = preflight.header("access-control-allow-methods").unwrap();
    assert_eq!(methods, "GET,HEAD,PUT,PATCH,POST,DELETE");

    let any = Server::with(|config| config.cors_origins = "*".parse().unwrap()).await;
    let allowed = from(&any, "https://c.example", "/health").await;
    assert_eq!(allowed.header("access-control-allow-origin"), Some("*"));
    assert_eq!(allowed.header("access-control-allow-credentials"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_bundle() {
    let server = Server::start().await;
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/node_modules/socket.io-client");
    for name in ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"] {
        for (name, kind) in [(name.to_owned(), "javascript"), (format!("{name}.map"), "json")] {
            let path = format!("/socket.io/{name}");
            let plain = server.get(&path, "").await;
            if !package.exists() {
                assert_eq!(plain.status, StatusCode::NOT_FOUND);
                assert!(plain.json()["message"].as_str().unwrap().contains("make build"));
                continue;
            }
            assert_eq!(plain.body, std::fs::read(package.join("dist").join(&name)).unwrap(), "{name}");
            let content_type = format!("application/{kind}; charset=utf-8");
            assert_eq!(plain.header("content-type"), Some(content_type.as_str()));
            assert_eq!(plain.header("cache-control"), Some("public, max-age=0"));
            let tag = plain.header("etag").unwrap().to_owned();
            assert!(tag.starts_with("\"4."), "{tag}");

            for known in [tag.clone(), format!("W/{tag}"), format!("\"0\", {tag}"), "*".to_owned()] {
                let request = server.request(Method::GET, &path).header("if-none-match", known);
                let again = server.send(request, "").await;
                assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
                assert_eq!(again.header("etag"), Some(tag.as_str()));
            }
            let request = server.request(Method::GET, &path).header("if-none-match", "\"0\"");
            assert_eq!(server.send(request, "").await.status, StatusCode::OK);

            let head = server.send(server.request(Method::HEAD, &path), "").await;
            assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
            assert_eq!(head.header("content-length"), Some(plain.body.len().to_string().as_str()));
            for encoding in ["gzip", "br"] {
                let request = server.request(Method::GET, &path).header("accept-encoding", encoding);
                let packed = server.send(request, "").await;
                assert_eq!(packed.header("content-encoding"), Some(encoding));
                assert!(packed.body.len() < plain.body.len() / 2, "{name} {encoding}");
            }
        }
    }
}
