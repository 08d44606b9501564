//! The admin port.

use crate::config::setting::{Changes, Setting, Table, at};
use crate::config::value::Form;

pub const TABLE: Table = Table {
    name: "admin",
    about: "Admin port",
    settings: &[Setting {
        key: "admin",
        value_name: "ADDRESS:PORT",
        means: "Address and port of health, metrics, inspection and the pages, or off; port 0 \
                picks a free one",
        why: "It has no password, so it is for this machine alone; who shows it to others puts a \
              proxy with one in front.",
        changes: Changes::Restart,
        form: Form::Address { none: Some("off") },
        at: at!(admin),
    }],
};
