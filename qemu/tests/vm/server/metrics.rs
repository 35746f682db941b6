//! What metrics tell: the same, whoever uses the server for whatever.

use super::provision;
use crate::images::Images;
use crate::world::{Client, Names, World, OTHER, WEB};
use std::time::Duration;

/// `metrics.tick` is 5 s in the test recipe: this is two ticks, so that the page holds what the user did.
const TWO_TICKS: Duration = Duration::from_secs(10);
/// Pages taken, one a tick.
const PAGES: usize = 3;

/// A user and what they look at.
#[derive(Clone, Copy)]
struct Habits {
    number: u8,
    web: &'static str,
    name: &'static str,
}

/// The same amount of use by two users of two fresh servers, of different places: every byte of the pages is equal.
#[test]
fn two_worlds_give_the_same_metrics() {
    let Some(images) = Images::find() else { return };
    let ada = Habits { number: 2, web: WEB, name: "www.good.vitrine" };
    let bob = Habits { number: 77, web: OTHER, name: "other.plain.vitrine" };
    let pages = std::thread::scope(|scope| {
        let images = &images;
        let worlds = [ada, bob].map(|habits| scope.spawn(move || World::run(|world| pages(world, images, habits))));
        worlds.map(|world| world.join().unwrap())
    });
    let [Some(first), Some(second)] = pages else { return };
    assert_eq!(first.len(), PAGES);
    assert_eq!(first, second);
    assert!(first[0].contains("vitrine_throughput") && first[0].contains("vitrine_sessions"), "{}", first[0]);
    for trace in ["10.66", "fd66", "192.0.2", "198.51", "vitrine.", "www", "good"] {
        assert!(!first.concat().contains(trace), "{trace} is in {}", first[0]);
    }
}

fn pages(world: &World, images: &Images, habits: Habits) -> Vec<String> {
    let _names = Names::start(&images.path("names"));
    let server = provision(world, images, "server");
    let (_user, client) = server.join(habits.number);
    for _ in 0..5 {
        client.seen_as(habits.web);
        client.dig(&[habits.name, "A"]).expect_success();
        client.dig(&["ads.good.vitrine", "A"]).expect_success();
    }
    let pages = (0..PAGES).map(|_| {
        std::thread::sleep(TWO_TICKS);
        page(&client)
    });
    pages.collect()
}

fn page(client: &Client) -> String {
    client.curl(&["--fail", "http://10.66.0.1:9469/metrics"]).expect_success()
}
