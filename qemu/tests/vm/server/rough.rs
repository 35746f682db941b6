//! What nobody wishes a server: a clock that is wrong by decades, a cable that is pulled, floods, recorded orders, and
//! half of the memory that `docs/operate.md` asks for.

use super::{crowd, flood, names, orders, provision_with, traffic, Provisioned};
use crate::images::Images;
use crate::machine::{set_cable, Cable};
use crate::world::{self, Client, Names, User, World, GUEST, GUEST6, OTHER, WEB, WEB6};
use std::time::Duration;
use vitrine_qemu::boot::Options;

/// Half of what `docs/operate.md` asks for.
const LEAST_MEMORY_MIB: u32 = 256;
/// Before all signatures of the tests' zones, and before the kernel was built.
const LONG_AGO: &str = "2009-01-01T00:00:00";
/// How long the cable is out.
const AWAY: Duration = Duration::from_secs(8);
/// Receive buffers that the janitor turns over, one frame each (`FRAMES` in `janitor/turnover.rs`).
const BUFFERS: u64 = 64;

#[test]
fn a_rough_day() {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let _names = Names::start(&images.path("names"));
        let clock = ["-rtc".into(), format!("base={LONG_AGO}")];
        let change = |mut options: Options| {
            options.extra.extend(clock);
            options
        };
        let mut server = provision_with(world, &images, "server", change);
        let (_ada, client) = server.join(2);
        server.step("clock_far_off", |server| clock_far_off(server, &client));
        server.step("recorded_orders_are_refused", orders::recorded_orders_are_refused);
        server.step("altered_orders_are_refused", orders::altered_orders_are_refused);
        server.step_on_the_machine("link_down_and_up", |server| link_down_and_up(server, &client));
        server.step("floods_end", flood::floods_end);
        server.end();
    });
}

#[test]
fn least_memory() {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let _names = Names::start(&images.path("names"));
        let change = |options| Options { memory_mib: LEAST_MEMORY_MIB, ..options };
        let mut server = provision_with(world, &images, "server", change);
        let users = [User::number(2), User::number(3)];
        server.step("peers_that_cannot_be", |server| crowd::peers_that_cannot_be(server, &users));
        server.step("ten_thousand_peers", |server| crowd::ten_thousand_peers(server, &users));
        let client = server.join_as(&users[0]);
        server.step("many_connections_and_names", |server| flood::many_connections_and_names(server, &client));
        server.end();
    });
}

/// Tunnel and evidence need no clock: a quote is judged by the TPM's own. DNSSEC does: nothing can be validated, and
/// so nothing is answered, signed or not (RFC 4035 §5.3.1). Who asks for unvalidated answers (CD) gets them, as ever.
fn clock_far_off(server: &Provisioned, client: &Client) {
    assert_eq!([client.seen_as(WEB), client.seen_as(WEB6)], [GUEST.to_string(), GUEST6.to_string()]);
    for name in ["www.good.vitrine", "www.bogus.vitrine", "www.plain.vitrine"] {
        let said = client.dig(&[name, "A"]).expect_success();
        assert!(said.contains("SERVFAIL") && !said.contains(WEB) && !said.contains(OTHER), "{said}");
    }
    let said = client.dig(&["+cdflag", "www.good.vitrine", "A"]).expect_success();
    assert!(said.contains("NOERROR") && said.contains(WEB), "{said}");
    let said = client.dig(&["ads.good.vitrine", "A"]).expect_success();
    assert!(said.contains("NXDOMAIN"), "the blocklist needs no clock: {said}");
    let said = client.dig(&["+tls", &names::pin(server), "+cdflag", "www.good.vitrine", "A"]).expect_success();
    assert!(said.contains(WEB) && said.contains("TLS"), "the certificate spans every clock: {said}");
    server.judge().assert_accepted();
}

/// Users lose what was under way and nothing else; what the janitor was about to do is done when the cable is back.
fn link_down_and_up(server: &mut Provisioned, client: &Client) {
    let (user, other) = server.join(5);
    client.ping(WEB6).expect_success();
    client.rest();
    drop(other);
    // Its connections are to be forgotten now, and the receive buffers to be turned over
    server.remove(&user);
    set_cable(&mut server.running.guest, Cable::Out);
    let before = world::frames_from_guest();
    std::thread::sleep(AWAY);
    assert_eq!(world::frames_from_guest(), before, "the cable is out");

    set_cable(&mut server.running.guest, Cable::In);
    server.wait_until("the janitor turns the buffers over", Duration::from_secs(60), |_| {
        world::frames_from_guest() >= before + BUFFERS
    });
    client.wake();
    client.ping("fd66::1").expect_success();
    assert_eq!([client.seen_as(WEB), client.seen_as(WEB6)], [GUEST.to_string(), GUEST6.to_string()]);
    traffic::outer_ipv6(server);
    server.judge().assert_accepted();
}
