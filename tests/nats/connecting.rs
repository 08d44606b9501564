//! Logins and TLS: what is let in, and what is said where it is not.
//!
//! Method: a real nats-server for each way; the same function that feeds and `publish` use.

use crate::server::{NatsServer, Setup};
use crate::tls::{Authority, Identity};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tapecast::config::NatsSettings;
use tapecast::feed::nats::{Link, connect};

/// Connects, asks the server something, and gives what was said where that failed.
fn try_connect(url: &str, settings: &NatsSettings) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let link = Arc::new(Link::default());
        let servers = url.parse().expect("a URL");
        let client = connect(&servers, settings, "test", &link).await;
        let client = client.map_err(|error| error.to_string())?;
        client.flush().await.map_err(|error| error.to_string())?;
        assert!(link.is_up.load(Ordering::Acquire));
        Ok(())
    })
}

fn file(server: &NatsServer, name: &str, text: &str) -> String {
    let path = server.dir().join(name);
    fs::write(&path, text).expect("the server's directory");
    text_of(&path)
}

fn text_of(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_string()
}

#[test]
fn users_and_tokens_by_file_and_by_url() {
    let more = "authorization { user: me, password: \"pass@word\" }";
    let server = NatsServer::start(Setup { more: more.into(), ..Setup::default() });
    let by_url = format!("nats://me:pass%40word@127.0.0.1:{}", server.port());
    try_connect(&by_url, &NatsSettings::default()).expect("the login of the URL");
    let password_file = file(&server, "password", "pass@word\n");
    let mut settings = NatsSettings { user: "me".into(), password_file, ..Default::default() };
    try_connect(&server.url(), &settings).expect("the login of the file");
    for url in [server.url(), format!("nats://me:wrong@127.0.0.1:{}", server.port())] {
        let why = try_connect(&url, &NatsSettings::default()).expect_err("no such login");
        assert!(why.contains("refused the login") && why.contains("nats_user"), "{why}");
        assert!(!why.contains("wrong"), "the password is told: {why}");
    }
    settings.password_file = "/nonexistent/password".into();
    let why = try_connect(&server.url(), &settings).expect_err("no such file");
    assert!(why.contains("nats_password_file = /nonexistent/password"), "{why}");

    let more = "authorization { token: \"s3cret\" }";
    let server = NatsServer::start(Setup { more: more.into(), ..Setup::default() });
    let by_url = format!("nats://s3cret@127.0.0.1:{}", server.port());
    try_connect(&by_url, &NatsSettings::default()).expect("the token of the URL");
    let token_file = file(&server, "token", "s3cret");
    let settings = NatsSettings { token_file, ..NatsSettings::default() };
    try_connect(&server.url(), &settings).expect("the token of the file");
}

/// Starts a server with TLS; `verify` asks clients for certificates.
fn tls_server(dir: &Path, authority: &Authority, verify: bool) -> NatsServer {
    let Identity { certificate, key } = authority.sign(dir, "server", &["127.0.0.1"]);
    let (certificate, key) = (certificate.display(), key.display());
    let ca = authority.certificate.display();
    let verify = if verify { format!("ca_file: \"{ca}\", verify: true") } else { String::new() };
    let more = format!("tls {{ cert_file: \"{certificate}\", key_file: \"{key}\", {verify} }}");
    NatsServer::start(Setup { more, ..Setup::default() })
}

#[test]
fn tls_with_an_authority_of_ones_own() {
    let files = NatsServer::start(Setup::default());
    let dir = files.dir();
    let (ours, other) = (Authority::new(dir, "ours"), Authority::new(dir, "other"));
    let server = tls_server(dir, &ours, false);
    let with_ca = |authority: &Authority| NatsSettings {
        tls_ca: text_of(&authority.certificate),
        ..NatsSettings::default()
    };
    for scheme in ["nats", "tls"] {
        let url = format!("{scheme}://127.0.0.1:{}", server.port());
        try_connect(&url, &with_ca(&ours)).expect("our authority signed it");
        for wrong in [with_ca(&other), NatsSettings::default()] {
            let why = try_connect(&url, &wrong).expect_err("nobody else did");
            assert!(why.contains("no TLS with") && why.contains("nats_tls_ca"), "{why}");
        }
    }
    // A server without TLS is not spoken to where TLS is required.
    let mut settings = with_ca(&ours);
    settings.tls_required = true;
    try_connect(&files.url(), &settings).expect_err("it has no TLS");

    let server = tls_server(dir, &ours, true);
    let mut settings = with_ca(&ours);
    try_connect(&server.url(), &settings).expect_err("it asks for a certificate");
    let own = ours.sign(dir, "client", &["client"]);
    settings.tls_certificate = text_of(&own.certificate);
    settings.tls_key = text_of(&own.key);
    try_connect(&server.url(), &settings).expect("our authority signed it");
}

/// A claim in the form of NATS, signed by its issuer.
fn token(issuer: &KeyPair, subject: &KeyPair, nats: Value) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "jti": subject.public_key(), "iat": 1_700_000_000, "iss": issuer.public_key(),
        "name": "test", "sub": subject.public_key(), "nats": nats,
    });
    let text = format!("{}.{}", part(json!({"typ": "JWT", "alg": "ed25519-nkey"})), part(claims));
    let signature = issuer.sign(text.as_bytes()).expect("a whole key pair");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Method: an operator, an account and a user of the test's own; the server knows the first two.
#[test]
fn credentials_of_a_user_whom_the_server_does_not_list() {
    let [operator, account] = [KeyPair::new_operator(), KeyPair::new_account()];
    let user = KeyPair::new_user();
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1,
    });
    let by_operator = token(&operator, &operator, json!({"type": "operator", "version": 2}));
    let claims = json!({"type": "account", "version": 2, "limits": limits});
    let by_account = token(&operator, &account, claims);
    let claims = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1});
    let by_user = token(&account, &user, claims);
    let more = format!(
        "operator: {by_operator}\nresolver: MEMORY\nresolver_preload {{ {}: {by_account} }}",
        account.public_key()
    );
    let server = NatsServer::start(Setup { more, ..Setup::default() });
    let seed = user.seed().expect("a whole key pair");
    let text = format!(
        "-----BEGIN NATS USER JWT-----\n{by_user}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    );
    let credentials = file(&server, "user.creds", &text);
    let mut settings = NatsSettings { credentials, ..NatsSettings::default() };
    try_connect(&server.url(), &settings).expect("the account's user");
    let why = try_connect(&server.url(), &NatsSettings::default()).expect_err("nobody");
    assert!(why.contains("refused the login"), "{why}");
    settings.credentials = file(&server, "empty.creds", "nothing");
    let why = try_connect(&server.url(), &settings).expect_err("no credentials");
    assert!(why.contains("nats_credentials"), "{why}");
}
