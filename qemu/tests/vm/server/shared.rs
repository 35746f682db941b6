//! A shared exit and its users: one boot, most promises.

use super::{janitor, names, peers, provision, traffic};
use crate::images::Images;
use crate::world::{Names, World};
use std::time::Instant;

#[test]
fn shared_server() {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let _names = Names::start(&images.path("names"));
        let mut server = provision(world, &images, "server");
        let (idle, sleeper) = server.join(4);
        sleeper.rest();
        let asleep = Instant::now();
        let (_ada, first) = server.join(2);
        let (_bob, second) = server.join(3);
        server.step("ipv4_and_ipv6_through_the_tunnel", |_| traffic::ipv4_and_ipv6_through_the_tunnel(&first));
        server.step("two_clients_at_once", |_| traffic::two_clients_at_once(&first, &second));
        server.step("clients_are_isolated", |_| traffic::clients_are_isolated(&first, &second));
        server.step("private_ranges_are_refused", |_| traffic::private_ranges_are_refused(&first));
        server.step("the_servers_own_ports_are_closed", |_| traffic::the_servers_own_ports_are_closed(&first));
        server.step("foreign_sources_are_dropped", |_| traffic::foreign_sources_are_dropped(&first));
        server.step("outer_ipv6", traffic::outer_ipv6);
        server.step("second_listen_port", |server| traffic::second_listen_port(server, &first));
        server.step("dns_over_udp_and_tcp", |_| names::dns_over_udp_and_tcp(&first));
        server.step("dns_over_tls_with_the_attested_key", |s| names::dns_over_tls_with_the_attested_key(s, &first));
        server.step("dns_over_https_with_the_attested_key", |s| names::dns_over_https_with_the_attested_key(s, &first));
        server.step("dnssec_good", |_| names::dnssec_good(&first));
        server.step("dnssec_bogus", |_| names::dnssec_bogus(&first));
        server.step("dnssec_absent", |_| names::dnssec_absent(&first));
        server.step("blocklist", |_| names::blocklist(&first));
        server.step("any_is_refused", |_| names::any_is_refused(&first));
        server.step("silent_upstream", |_| names::silent_upstream(&first));
        server.step("resolver_forgets_and_answers_again", |_| names::resolver_forgets_and_answers_again(&first));
        server.step("resolver_is_not_open", |_| names::resolver_is_not_open());
        server.step("peers_are_added_and_removed", peers::peers_are_added_and_removed);
        server.step("wg_config_is_complete", peers::wg_config_is_complete);
        server.step("janitor_is_invisible", |s| janitor::janitor_is_invisible(s, &idle, &sleeper, asleep));
        server.end();
    });
}
