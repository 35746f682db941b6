//! The owner's orders, by the shipped `vitrine-verify`.

use super::Provisioned;
use crate::world::{User, GUEST, WEB};
use std::collections::BTreeMap;

/// Added, online, removed; each seen by `has`, and by the user.
pub fn peers_are_added_and_removed(server: &Provisioned) {
    let user = User::number(20);
    let peer = user.public().to_string();
    let has = |server: &Provisioned| server.peers(&["has"], &["--peer", &peer, "--json"]);
    let before = has(server);
    assert_eq!((before.exit_code, before.stdout.contains("\"has\":false")), (1, true), "{before:?}");

    server.add(&user);
    let configured = has(server);
    assert_eq!((configured.exit_code, configured.stdout.contains("\"online\":false")), (0, true), "{configured:?}");
    let client = user.connect(server.keys.wireguard, server.running.guest.wireguard());
    client.ping("10.66.0.1").expect_success();
    assert!(has(server).stdout.contains("\"online\":true"));

    server.remove(&user);
    client.cannot_ping("10.66.0.1");
    assert_eq!(has(server).exit_code, 1);
    drop(client);
    let again = user.connect(server.keys.wireguard, server.running.guest.wireguard());
    again.cannot_ping("10.66.0.1");
}

/// What `wg-config` writes is all a user needs.
pub fn wg_config_is_complete(server: &Provisioned) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("user.conf").display().to_string();
    let outcome =
        server.verify(&["wg-config"], &["--generate", "--address", "10.66.0.40/32,fd66::28/128", "--out", &file]);
    assert_eq!(outcome.exit_code, 0, "{outcome:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    let config: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim())).collect();
    assert!(config["DNS"].contains("10.66.0.1") && config["AllowedIPs"].contains("0.0.0.0/0"), "{config:?}");
    assert_eq!(config["PublicKey"], server.keys.wireguard.to_string());
    let addresses = config["Address"].split(',').map(|text| text.trim().parse().unwrap()).collect();

    let user = User::of_config(40, config["PrivateKey"].parse().unwrap(), addresses);
    server.add(&user);
    let client = user.connect(config["PublicKey"].parse().unwrap(), config["Endpoint"].parse().unwrap());
    assert_eq!(client.seen_as(WEB), GUEST.to_string());
    server.remove(&user);
}
