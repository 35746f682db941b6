//! The janitor at work all the time, beside a user.

use super::provision;
use crate::images::Images;
use crate::world::{Names, User, World};
use std::time::{Duration, Instant};

/// A removed user is a whole round of the janitor, with its two interfaces that come and go: here one each second for five minutes,
/// as many as there are in two hours and a half of a quiet server.
const LONG: Duration = Duration::from_secs(300);

#[test]
#[ignore = "five minutes; make prove runs it"]
fn tunnels_live_while_the_janitor_works() {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let _names = Names::start(&images.path("names"));
        let mut server = provision(world, &images, "server");
        let (_ada, client) = server.join(2);
        let other = User::number(9);
        server.step("pings_go_on", |server| {
            let begin = Instant::now();
            let mut rounds = 0;
            while begin.elapsed() < LONG {
                server.add(&other);
                server.remove(&other);
                client.ping("10.66.0.1").expect_success();
                client.ping("fd66::1").expect_success();
                rounds += 1;
            }
            eprintln!("{rounds} rounds");
        });
        server.end();
    });
}
