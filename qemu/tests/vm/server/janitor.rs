//! What is forgotten about a user, without the user noticing.

use super::Provisioned;
use crate::world::{Client, User, GUEST, WEB, WEB6};
use std::time::{Duration, Instant};

/// Longer than `janitor.idle` (180 s) and its tick: by then the server has removed and added the peer again.
const IDLE: Duration = Duration::from_secs(195);

/// The user's machine has been suspended since `asleep`, their side of the tunnel unchanged, and comes back.
pub fn janitor_is_invisible(server: &Provisioned, user: &User, client: &Client, asleep: Instant) {
    std::thread::sleep(IDLE.saturating_sub(asleep.elapsed()));
    let peer = user.public().to_string();
    let has = |server: &Provisioned| server.peers(&["has"], &["--peer", &peer, "--json"]);
    let away = has(server);
    assert_eq!((away.exit_code, away.stdout.contains("\"online\":false")), (0, true), "{away:?}");
    client.wake();
    client.ping("10.66.0.1").expect_success();
    assert_eq!(client.seen_as(WEB), GUEST.to_string());
    client.ping(WEB6).expect_success();
    let back = has(server);
    assert!(back.stdout.contains("\"online\":true"), "{back:?}");
}
