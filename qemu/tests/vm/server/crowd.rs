//! As many peers as a server may have.

use super::Provisioned;
use crate::world::{User, GUEST, WEB};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use vitrine_attest::digest::Key32;

/// `peers.most` of the test recipe, which is the highest there is.
const MOST: usize = 10_000;
/// Two key agreements of the kernel for each, under QEMU's translator: half a minute where nothing else runs.
const PATIENCE: Duration = Duration::from_secs(240);

/// The server takes as many peers as the configuration allows and not one more, and its users notice nothing. They
/// stay in for the steps that follow.
pub fn ten_thousand_peers(server: &Provisioned, users: &[User; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let all = write(folder.path(), "all", users, MOST - users.len());
    let clients = users.each_ref().map(|user| server.join_as(user));

    let begin = Instant::now();
    server.wait_until("all are in", PATIENCE, |server| sync(server, &all));
    eprintln!("{MOST} peers on two interfaces: {:.1} s", begin.elapsed().as_secs_f32());
    assert_eq!(server.peers(&["commitment", &all], &[]).exit_code, 0);
    assert_eq!(clients.each_ref().map(|client| client.seen_as(WEB)), [GUEST.to_string(), GUEST.to_string()]);
    let again = users[0].connect(server.keys.wireguard, server.endpoint(443));
    again.ping("10.66.0.1").expect_success();
    drop(again);

    let more = User::number(40);
    let words = ["--peer", &more.public().to_string(), "--allowed-ips", &more.networks()];
    let refused = server.peers(&["add"], &words);
    assert!(refused.exit_code != 0 && refused.stderr.contains("allows no more peers (peers.most)"), "{refused:?}");
}

/// One key twice, one network twice, a network in another: each is said, with its line, before anything is sent. What
/// is sent one by one, the server refuses.
pub fn peers_that_cannot_be(server: &Provisioned, users: &[User; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = users;
    let file = folder.path().join("peers.toml");
    let text = peer(&first.public(), "10.66.0.128/25")
        + &peer(&first.public(), "fd66::70/128")
        + &peer(&second.public(), "10.66.0.130/32")
        + &peer(&User::number(60).public(), "10.66.0.1/32")
        + &peer(&User::number(61).public(), "192.0.2.7/32");
    std::fs::write(&file, text).unwrap();
    let refused = server.peers(&["sync", &file.display().to_string()], &[]);
    assert_eq!(refused.exit_code, 2, "{refused:?}");
    let told = ["same as in line 2", "overlaps another peer's", "the server's own address", "outside of the tunnel's"];
    for words in told {
        assert!(refused.stderr.contains(words), "{words}: {refused:?}");
    }

    server.add(first);
    for (networks, words) in [
        (first.networks(), "overlaps another peer's"),
        ("10.66.0.0/25".into(), "the server's own address"),
        ("192.0.2.7/32".into(), "outside of the tunnel's"),
    ] {
        let refused =
            server.peers(&["add"], &["--peer", &User::number(62).public().to_string(), "--allowed-ips", &networks]);
        assert!(refused.exit_code != 0 && refused.stderr.contains(words), "{words}: {refused:?}");
    }
    server.join_as(first).ping("10.66.0.1").expect_success();
}

/// `users`, and others besides them, as `docs/operate.md` shows it.
fn write(folder: &Path, name: &str, users: &[User], others: usize) -> String {
    let mut text = String::new();
    for user in users {
        let networks: Vec<String> = user.addresses.iter().map(|cidr| format!("\"{cidr}\"")).collect();
        let _ = write!(text, "[[peer]]\nkey = \"{}\"\nallowed_ips = [{}]\n", user.public(), networks.join(", "));
    }
    for n in 0..others {
        text += &peer(&Key32(vitrine_qemu::random::bytes().unwrap()), &format!("fd66::1:{n:x}/128"));
    }
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn peer(key: &Key32, network: &str) -> String {
    format!("[[peer]]\nkey = \"{key}\"\nallowed_ips = [\"{network}\"]\n")
}

/// As the owner would: on a slow machine PID 1 needs longer than the agent waits for it, and the words are "try again".
fn sync(server: &Provisioned, file: &str) -> bool {
    let outcome = server.peers(&["sync", file], &[]);
    assert!(outcome.exit_code == 0 || outcome.stderr.contains("busy"), "{outcome:?}");
    outcome.exit_code == 0
}
