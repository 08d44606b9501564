//! Sockets that systemd passes, in numbers that do not fit the shards.

use crate::client::Client;
use crate::machine::Machine;
use std::net::SocketAddr;

/// So many subscribers on each of these addresses, all served at once.
fn assert_served(machine: &Machine, addresses: &[&str], clients: usize) {
    let parse = |text: &&str| text.parse::<SocketAddr>().expect("an address");
    let addresses: Vec<SocketAddr> = addresses.iter().map(parse).collect();
    let mut all: Vec<Client> = machine.inside(|| {
        let each = addresses.iter().flat_map(|address| std::iter::repeat_n(*address, clients));
        each.map(Client::subscribed).collect()
    });
    all.iter_mut().for_each(Client::wait_for_tick);
}

fn start(flags: &str, listen: &[&str]) -> Machine {
    let machine = Machine::with_service();
    let lines: Vec<String> = listen.iter().map(|one| format!("ListenStream={one}")).collect();
    let socket = format!("[Socket]\nListenStream=\n{}", lines.join("\n"));
    machine.drop_in("tapecast.socket", &socket);
    machine.with_flags(flags, "");
    machine.must("systemctl start tapecast.socket tapecast.service");
    let log = machine.log();
    let told = format!("{} sockets were passed by systemd", listen.len());
    assert!(log.contains(&told), "{log}");
    machine
}

#[test]
fn one_socket_serves_three_shards() {
    let machine = start("--shards 3", &["127.0.0.1:9001"]);
    assert_served(&machine, &["127.0.0.1:9001"], 30);
}

#[test]
fn five_sockets_on_three_addresses_are_served_by_two_shards() {
    let listen =
        ["127.0.0.1:9001", "127.0.0.1:9001", "127.0.0.1:9001", "127.0.0.1:9004", "[::1]:9003"];
    let machine = start("--shards 2", &listen);
    assert_served(&machine, &["127.0.0.1:9001", "127.0.0.1:9004", "[::1]:9003"], 20);
    // The same after a restart, by the same sockets.
    machine.must("systemctl restart tapecast.service");
    assert_served(&machine, &["127.0.0.1:9001", "127.0.0.1:9004", "[::1]:9003"], 20);
}

#[test]
fn a_passed_socket_that_is_no_listener_of_tcp_is_named() {
    let machine = Machine::with_service();
    machine.drop_in("tapecast.socket", "[Socket]\nListenStream=\nListenStream=/run/tapecast.sock");
    machine.with_flags("", "Restart=no");
    let started = machine.run("systemctl start tapecast.socket tapecast.service");
    assert!(!started.status.success());
    let log = machine.log();
    assert!(log.contains("is no TCP socket that listens"), "{log}");
}

#[test]
fn without_its_socket_unit_the_server_listens_by_itself() {
    let machine = Machine::with_service();
    machine.must("systemctl disable --now tapecast.socket && systemctl mask tapecast.socket");
    machine.with_flags("--listen 127.0.0.1:9005", "");
    machine.must("systemctl start tapecast.service");
    assert_served(&machine, &["127.0.0.1:9005"], 5);
}
