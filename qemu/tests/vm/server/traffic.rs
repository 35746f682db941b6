//! What passes the tunnel, and what does not.

use super::Provisioned;
use crate::world::{Client, User, GUEST, GUEST6, OTHER, PRIVATE, PRIVATE6, WEB, WEB6};

/// Ping and TCP in both families; the world sees the server's address, never the client's.
pub fn ipv4_and_ipv6_through_the_tunnel(client: &Client) {
    client.ping("10.66.0.1").expect_success();
    client.ping("fd66::1").expect_success();
    client.ping(WEB).expect_success();
    client.ping(WEB6).expect_success();
    assert_eq!(client.seen_as(WEB), GUEST.to_string());
    assert_eq!(client.seen_as(WEB6), GUEST6);
}

pub fn two_clients_at_once(first: &Client, second: &Client) {
    std::thread::scope(|scope| {
        for client in [first, second] {
            scope.spawn(move || (0..5).for_each(|_| assert_eq!(client.seen_as(OTHER), GUEST.to_string())));
        }
    });
}

/// Client 3 is online before and afterwards, but does not hear client 2.
pub fn clients_are_isolated(first: &Client, second: &Client) {
    second.ping("10.66.0.1").expect_success();
    first.cannot_ping("10.66.0.3");
    first.cannot_ping("fd66::3");
    works(first);
    works(second);
}

/// What was refused before was not refused because nothing works.
fn works(client: &Client) {
    client.ping("10.66.0.1").expect_success();
    assert_eq!(client.seen_as(WEB), GUEST.to_string());
}

/// Both would answer: they lie on the world's loopback, where the server's gateway is.
pub fn private_ranges_are_refused(client: &Client) {
    client.cannot_fetch(PRIVATE);
    client.cannot_fetch(PRIVATE6);
    client.cannot_ping(PRIVATE);
    works(client);
}

/// From inside the tunnel: no port that is not declared.
pub fn the_servers_own_ports_are_closed(client: &Client) {
    for port in ["22", "8080"] {
        let url = format!("http://10.66.0.1:{port}/");
        client.run("curl", &["--silent", "--max-time", "4", &url]).expect_failure();
    }
    works(client);
}

/// A client that uses another one's address gets no answer (cryptokey routing and the firewall).
pub fn foreign_sources_are_dropped(client: &Client) {
    client.run("ip", &["addr", "add", "10.66.0.9/32", "dev", "wg"]).expect_success();
    client.run("ping", &["-n", "-c", "2", "-W", "2", "-I", "10.66.0.9", "10.66.0.1"]).expect_failure();
    client.run("ip", &["addr", "del", "10.66.0.9/32", "dev", "wg"]).expect_success();
    works(client);
}

/// The tunnel itself over IPv6.
pub fn outer_ipv6(server: &Provisioned) {
    let user = User::number(6);
    server.add(&user);
    let client = user.connect(server.keys.wireguard, format!("[{GUEST6}]:51820").parse().unwrap());
    client.ping("10.66.0.1").expect_success();
    assert_eq!(client.seen_as(WEB), GUEST.to_string());
    server.remove(&user);
}

/// A client moves to another port and keeps working, both ways.
pub fn second_listen_port(server: &Provisioned, client: &Client) {
    client.switch(server.keys.wireguard, server.endpoint(443));
    assert_eq!(client.seen_as(WEB), GUEST.to_string());
    client.ping("fd66::1").expect_success();
    client.switch(server.keys.wireguard, server.endpoint(51820));
    assert_eq!(client.seen_as(WEB6), GUEST6);
}
