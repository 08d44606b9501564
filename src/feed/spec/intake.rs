//! `tcp:ADDRESS[,OPTION…]` and `unix:PATH[,OPTION…]`: where publishers arrive.

use super::common::COMMON_KEYS;
use super::options::Options;
use super::{CommonSpec, SpecError};
use crate::feed::intake::IntakeLimits;
use crate::limits::{BODIES_MAX, FEED_RATE_MAX, PUBLISHERS, PUBLISHERS_MAX};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Lines of publishers that connect by TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpSpec {
    /// Port 0 is any; which one is said in the log.
    pub address: SocketAddr,
    /// `connections=N`, `rate=LINES` (a second, of one connection) and `idle_s=SECONDS`.
    pub limits: IntakeLimits,
}

/// Lines of publishers on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixSpec {
    pub path: PathBuf,
    /// `mode=660`: the socket's permissions, octal. Who may write to it may publish.
    pub mode: u32,
    pub limits: IntakeLimits,
}

/// Of bodies that are posted: they are whole when they come.
pub const API_LIMITS: IntakeLimits =
    IntakeLimits { connections: BODIES_MAX, lines_per_second: None, idle_s: None };

const TCP_KEYS: &[&str] = &["connections=", "rate=", "idle_s="];
const UNIX_KEYS: &[&str] = &["mode=", "connections=", "rate=", "idle_s="];

const MODE: u32 = 0o660;

const DAY_S: u32 = 86_400;

impl TcpSpec {
    pub fn parse(text: &str) -> Result<(TcpSpec, CommonSpec), SpecError> {
        let (address, mut options) = Options::after_subject("tcp", [TCP_KEYS, COMMON_KEYS], text)?;
        let address = address.parse().map_err(|_| SpecError::NoAddress(address.into()))?;
        let common = CommonSpec::take(&mut options)?;
        let spec = TcpSpec { address, limits: limits(&mut options)? };
        options.finish()?;
        Ok((spec, common))
    }
}

impl UnixSpec {
    pub fn parse(text: &str) -> Result<(UnixSpec, CommonSpec), SpecError> {
        let (path, mut options) = Options::after_subject("unix", [UNIX_KEYS, COMMON_KEYS], text)?;
        if path.is_empty() {
            return Err(SpecError::NoPath("unix"));
        }
        let common = CommonSpec::take(&mut options)?;
        let (path, mode) = (PathBuf::from(path), mode(&mut options)?);
        let spec = UnixSpec { path, mode, limits: limits(&mut options)? };
        options.finish()?;
        Ok((spec, common))
    }
}

fn mode(options: &mut Options<'_>) -> Result<u32, SpecError> {
    let Some(value) = options.take("mode") else { return Ok(MODE) };
    let mode = u32::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| options.wrong("mode", value, "octal permissions such as mode=660"))
}

fn limits(options: &mut Options<'_>) -> Result<IntakeLimits, SpecError> {
    let connections = options.take_whole("connections", 1, PUBLISHERS_MAX)?;
    Ok(IntakeLimits {
        connections: connections.unwrap_or(PUBLISHERS),
        lines_per_second: options.take_whole("rate", 1, FEED_RATE_MAX)?,
        idle_s: options.take_whole("idle_s", 1, DAY_S)?,
    })
}
