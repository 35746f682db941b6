//! What metrics tell: the same, whoever uses the server for whatever.

use super::provision;
use crate::images::Images;
use crate::world::{Client, Names, World, OTHER, WEB};
use std::time::Duration;

/// `metrics.tick` of the test recipe.
const TICK: Duration = Duration::from_secs(10);
/// Pages taken when the user is quiet again, one a tick.
const QUIET_PAGES: u32 = 3;
/// The user does everything this often.
const ROUNDS: usize = 5;

/// A user and what they look at.
#[derive(Clone, Copy)]
struct Habits {
    number: u8,
    web: &'static str,
    name: &'static str,
}

/// What was to be read while the user was busy, and afterwards.
#[derive(Debug, PartialEq, Eq)]
struct Pages {
    busy: Vec<String>,
    quiet: Vec<String>,
}

/// The same amount of use by two users of two fresh servers, of different places: every byte of the pages is equal.
///
/// Only the processor's class is left out while they are busy: under QEMU's translator it depends on what else this
/// machine does.
#[test]
fn two_worlds_give_the_same_metrics() {
    let Some(images) = Images::find() else { return };
    let ada = Habits { number: 2, web: WEB, name: "www.good.vitrine" };
    let bob = Habits { number: 77, web: OTHER, name: "other.plain.vitrine" };
    let images = &images;
    let pages = std::thread::scope(|scope| {
        let worlds = [ada, bob].map(|habits| scope.spawn(move || World::run(|world| pages(world, images, habits))));
        worlds.map(|world| world.join().unwrap())
    });
    let [Some(first), Some(second)] = pages else { return };
    assert_eq!((first.busy.len(), first.quiet.len()), (ROUNDS, QUIET_PAGES as usize));
    assert_eq!(first, second);
    let all = first.busy.concat() + &first.quiet.concat();
    for series in ["vitrine_cpu", "vitrine_memory", "vitrine_throughput", "vitrine_sessions", "vitrine_blocked_names"] {
        assert!(all.contains(series), "{series} is missing: {all}");
    }
    for trace in ["10.66", "fd66", "192.0.2", "198.51", ".vitrine", "www", "good", "ads"] {
        assert!(!all.contains(trace), "{trace} is in {all}");
    }
}

fn pages(world: &World, images: &Images, habits: Habits) -> Pages {
    let _names = Names::start(&images.path("names"));
    let server = provision(world, images, "server");
    let (_user, client) = server.join(habits.number);
    let round = |_| {
        client.seen_as(habits.web);
        client.dig(&[habits.name, "A"]).expect_success();
        client.dig(&["ads.good.vitrine", "A"]).expect_success();
        without_processor(&page(&client))
    };
    let busy = (0..ROUNDS).map(round).collect();
    std::thread::sleep(TICK);
    let quiet = (0..QUIET_PAGES).map(|_| {
        std::thread::sleep(TICK);
        page(&client)
    });
    let quiet = quiet.collect();
    server.end();
    Pages { busy, quiet }
}

fn page(client: &Client) -> String {
    client.curl(&["--fail", "http://10.66.0.1:9469/metrics"]).expect_success()
}

fn without_processor(page: &str) -> String {
    page.lines().filter(|line| !line.contains("vitrine_cpu")).map(|line| format!("{line}\n")).collect()
}
