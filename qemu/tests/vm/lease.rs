//! The outer address by DHCP, from a server whose leases are short: the shipped image, its watch, and one of its users.

use crate::images::Images;
use crate::server::provision_by_lease;
use crate::world::{Client, Leases, Manner, World, GUEST, WEB};
use std::time::Duration;

/// For a few renewals, or for a lease that runs out, on a machine that is slow.
const PATIENCE: Duration = Duration::from_secs(600);
/// Two looks of the watch, and more.
const LATER: Duration = Duration::from_secs(30);

/// Renewed three times, refused, run out: the address comes and goes, and that is no violation. The user's tunnel
/// works whenever the server has an address.
#[test]
fn leases_come_and_go() {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let leases = Leases::start().unwrap();
        let mut server = provision_by_lease(world, &images, "exit");
        let (_user, client) = server.join(2);
        server.step("a_lease_is_renewed", |server| {
            let before = leases.renewed();
            server.wait_until("three renewals", PATIENCE, |_| leases.renewed() >= before + 3);
            is_well(&client);
        });
        server.step("a_refused_lease_is_sought_again", |server| {
            let (before, renewed) = (leases.searched(), leases.renewed());
            leases.set(Manner::Refuse);
            server.wait_until("a search", PATIENCE, |_| leases.searched() > before);
            leases.set(Manner::Grant);
            server.wait_until("a lease that is renewed", PATIENCE, |_| leases.renewed() > renewed);
            is_well(&client);
        });
        server.step("a_lease_runs_out", |server| {
            let (before, renewed) = (leases.searched(), leases.renewed());
            leases.set(Manner::Silent);
            server.wait_until("a search", PATIENCE, |_| leases.searched() > before);
            client.cannot_ping("10.66.0.1");
            leases.set(Manner::Grant);
            server.wait_until("a lease that is renewed", PATIENCE, |_| leases.renewed() > renewed);
            is_well(&client);
        });
        server.step("the_watch_has_seen_nothing", |server| {
            std::thread::sleep(LATER);
            let judged = server.judge();
            judged.assert_accepted();
            assert_eq!(judged.evidence().runtime_log.len(), 3, "measured at boot, and nothing since");
        });
        server.end();
    });
}

fn is_well(client: &Client) {
    client.ping("10.66.0.1").expect_success();
    assert_eq!(client.seen_as(WEB), GUEST.to_string());
}
