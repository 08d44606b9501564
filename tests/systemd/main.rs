//! The service under a real systemd.
//!
//! Method: a small Debian of its own (debootstrap) is booted in namespaces (systemd-nspawn), the
//! built program is installed there with `tuning/install.sh`, and systemd is asked to do what an
//! operator or an accident does. Clients are in the machine's network, which has loopback only.
//! This wants root, and the packages debootstrap and systemd-container; it says so where they are
//! missing, and fails.

mod client;
mod installing;
mod listeners;
mod machine;
mod service;
mod tree;
mod tuning;
