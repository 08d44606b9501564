//! Flags of the admin port and of what is logged of clients.

use std::net::SocketAddr;

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Watching it")]
pub struct AdminArgs {
    /// Address and port of health, metrics, inspection and the pages, or off. It has no password,
    /// so leave it on this machine; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9002", value_parser = parse)]
    pub admin: AdminAddress,
    /// Whether clients' addresses may stand in logs and in what the admin port tells
    #[arg(
        long,
        value_name = "BOOL",
        action = clap::ArgAction::Set,
        default_value_t = true
    )]
    pub log_addresses: bool,
}

/// `None`: there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminAddress(pub Option<SocketAddr>);

fn parse(text: &str) -> Result<AdminAddress, String> {
    if text == "off" {
        return Ok(AdminAddress(None));
    }
    let wrong = |_| format!("'{text}' is no address; write it like 127.0.0.1:9002, or off");
    text.parse().map(|address| AdminAddress(Some(address))).map_err(wrong)
}
