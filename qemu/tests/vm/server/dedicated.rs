//! One customer's server: the customer's peers and nobody else's, and keys that change while it runs.

use super::{provision, rotation, Provisioned};
use crate::images::Images;
use crate::world::{Names, User, World};
use std::path::Path;

#[test]
fn dedicated_server() {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let _names = Names::start(&images.path("names"));
        let mut server = provision(world, &images, "dedicated");
        let users = [User::number(2), User::number(3)];
        // First: the first new key comes two minutes after the boot
        users.iter().for_each(|user| server.add(user));
        server.step("rotation_keeps_connections", |server| rotation::rotation_keeps_connections(server, &users));
        server.step("peers_are_synchronised", |server| peers_are_synchronised(server, &users));
        server.step("commitment_tells_other_peers", |server| commitment_tells_other_peers(server, &users));
        server.step("no_more_peers_than_configured", no_more_peers_than_configured);
        server.end();
    });
}

/// `peers sync` makes the server hold exactly the file's peers, and `peers commitment` proves it.
fn peers_are_synchronised(server: &Provisioned, users: &[User]) {
    let folder = tempfile::tempdir().unwrap();
    let stranger = User::number(9);
    server.add(&stranger);
    let file = write(folder.path(), users);
    assert_eq!(server.peers(&["commitment", &file], &[]).exit_code, 1, "somebody else's peer is in");
    assert_eq!(server.peers(&["sync", &file], &[]).exit_code, 0);
    assert_eq!(server.peers(&["commitment", &file], &[]).exit_code, 0);
    assert_eq!(server.peers(&["has"], &["--peer", &stranger.public().to_string()]).exit_code, 1);
}

/// One peer more, or one less, is another commitment.
fn commitment_tells_other_peers(server: &Provisioned, users: &[User]) {
    let folder = tempfile::tempdir().unwrap();
    let (all, fewer) = (write(folder.path(), users), write(folder.path(), &users[..1]));
    assert_eq!(server.peers(&["commitment", &fewer], &[]).exit_code, 1);
    let more = User::number(9);
    server.add(&more);
    assert_eq!(server.peers(&["commitment", &all], &[]).exit_code, 1);
    server.remove(&more);
    assert_eq!(server.peers(&["commitment", &all], &[]).exit_code, 0);
}

/// `peers.most` is 3 in the test recipe.
fn no_more_peers_than_configured(server: &Provisioned) {
    let third = User::number(10);
    server.add(&third);
    let fourth = User::number(11);
    let more = ["--peer", &fourth.public().to_string(), "--allowed-ips", &fourth.networks()];
    assert_ne!(server.peers(&["add"], &more).exit_code, 0, "a fourth peer was taken");
    server.remove(&third);
}

/// As `docs/operate.md` shows it.
fn write(folder: &Path, users: &[User]) -> String {
    let peer = |user: &User| {
        let networks = user.addresses.iter().map(|cidr| format!("\"{cidr}\"")).collect::<Vec<_>>().join(", ");
        format!("[[peer]]\nname = \"device\"\nkey = \"{}\"\nallowed_ips = [{networks}]\n", user.public())
    };
    let file = folder.join(format!("{}-peers.toml", users.len()));
    std::fs::write(&file, users.iter().map(peer).collect::<String>()).unwrap();
    file.display().to_string()
}
