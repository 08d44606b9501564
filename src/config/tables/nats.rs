//! How a NATS server is reached, by feeds and by `publish`.

use crate::config::setting::{Changes, Setting, Table, at};
use crate::config::value::Form;

pub const TABLE: Table = Table {
    name: "nats",
    about: "NATS",
    settings: &[
        Setting {
            key: "nats_credentials",
            value_name: "PATH",
            means: "File of credentials (.creds: a JWT and its seed) for NATS; empty for none",
            why: "It goes before a token, a user and what stands in the URL.",
            changes: Changes::Restart,
            form: Form::Text(path),
            at: at!(nats.credentials),
        },
        Setting {
            key: "nats_user",
            value_name: "NAME",
            means: "User for NATS, with nats_password_file; empty for none",
            why: "In place of nats://USER:PASSWORD@HOST, which every list of processes shows.",
            changes: Changes::Restart,
            form: Form::Text(path),
            at: at!(nats.user),
        },
        Setting {
            key: "nats_password_file",
            value_name: "PATH",
            means: "File whose first line is the password of nats_user; empty for none",
            why: "A file's mode keeps it from others; a flag or a variable would show it.",
            changes: Changes::Restart,
            form: Form::Text(path),
            at: at!(nats.password_file),
        },
        Setting {
            key: "nats_token_file",
            value_name: "PATH",
            means: "File whose first line is a token for NATS; empty for none",
            why: "For servers with one token for all; it goes before a user.",
            changes: Changes::Restart,
            form: Form::Text(path),
            at: at!(nats.token_file),
        },
        Setting {
            key: "nats_tls_ca",
            value_name: "PATH",
            means: "Certificates (PEM) of who may have signed the NATS server's; empty for those \
                    of the system",
            why: "Servers of one's own are mostly signed by an authority of one's own.",
            changes: Changes::Restart,
            form: Form::Text(path),
            at: at!(nats.tls_ca),
        },
        Setting {
            key: "nats_tls_certificate",
            value_name: "PATH",
            means: "Certificate (PEM) that this program shows to NATS, with nats_tls_key; empty \
                    for none",
            why: "For servers that verify their clients by certificate.",
            changes: Changes::Restart,
            form: Form::Text(path),
            at: at!(nats.tls_certificate),
        },
        Setting {
            key: "nats_tls_key",
            value_name: "PATH",
            means: "Private key (PEM) of nats_tls_certificate; empty for none",
            why: "A file's mode keeps it from others.",
            changes: Changes::Restart,
            form: Form::Text(path),
            at: at!(nats.tls_key),
        },
        Setting {
            key: "nats_tls_required",
            value_name: "BOOL",
            means: "Whether NATS is never spoken without TLS, whatever URL and server say",
            why: "A URL that begins with tls:// requires it as well, and a server that requires \
                  it gets it; this is for a URL that somebody else writes.",
            changes: Changes::Restart,
            form: Form::Switch,
            at: at!(nats.tls_required),
        },
    ],
};

/// Whether a file is there is found out by who opens it.
fn path(text: &str) -> Result<(), String> {
    match text.contains(char::is_control) {
        true => Err("give a text without control characters".into()),
        false => Ok(()),
    }
}
