//! The behavioural proof of the exit server: shortened for every day, and whole, three times in a row.

use crate::images::Images;
use crate::machine::{Place, PATIENCE};
use vitrine_attest::vkey::NoteKey;
use vitrine_qemu::prove::report::{Class, Report, Verdict};
use vitrine_qemu::prove::run::{prove, Options};
use vitrine_qemu::prove::statement::{sign, signing_key, verify};
use vitrine_qemu::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Reduced,
    Whole,
    /// Whole, with a user who stays.
    Busy,
}

/// None where there is no root or no image; in CI that is a failure.
fn run(images: &Images, image: &str, length: Length) -> Option<Report> {
    if !World::is_possible() {
        assert!(std::env::var_os("CI").is_none(), "network namespaces need root");
        eprintln!("skipped: network namespaces need root");
        return None;
    }
    let _place = Place::take();
    let options = Options {
        out: images.path(image),
        keys: images.path("keys"),
        names: images.path("names"),
        upstream: images.path("upstream"),
        reduced: length == Length::Reduced,
        busy: length == Length::Busy,
        patience: PATIENCE,
        // Whoever looks for the cause of a residue needs it, and the next run may not show it again
        around: Some(images.path("around")),
    };
    let report = prove(&options, &mut |line| eprintln!("{line}")).unwrap();
    eprintln!("{report}");
    Some(report)
}

fn assert_nothing_found(report: &Report) {
    assert_eq!(report.verdict, Verdict::NothingFound, "{report}");
    assert!(Class::ALL.iter().all(|class| report.classes[class] == 0), "{report}");
}

/// Promises A1, N1, N6, but for the reset: nothing survives power-off, nothing can be read from outside, and nothing is left in
/// memory. The search was shown to find. The report can be signed and checked.
#[test]
fn nothing_survives_and_nothing_can_be_read() {
    let Some(images) = Images::find() else { return };
    let Some(report) = run(&images, "prove", Length::Reduced) else { return };
    assert_nothing_found(&report);
    assert!(report.reduced && report.left_out.len() > 2, "a shortened run says so");
    let envelope = sign(&report, &signing_key(&images.path("keys/release.key")).unwrap()).unwrap();
    let key = NoteKey::from_file(&images.read("keys/release.pub")).unwrap();
    let statement = verify(&envelope, key.key()).unwrap();
    assert_eq!(statement.predicate["classes"]["E0"], 0);
}

/// Promises A1, N1, N6. With the reset and the boot after it.
#[test]
#[ignore = "half an hour; make prove runs it"]
fn nothing_is_left_three_times_in_a_row() {
    let Some(images) = Images::find() else { return };
    for round in 1..=3 {
        eprintln!("── round {round} of 3");
        let Some(report) = run(&images, "prove", Length::Whole) else { return };
        assert_nothing_found(&report);
    }
}

/// The image as shipped, which asks for its addresses; of names only that they are asked for.
#[test]
#[ignore = "ten minutes; make prove runs it"]
fn nothing_is_left_by_the_shipped_image() {
    let Some(images) = Images::find() else { return };
    let Some(report) = run(&images, "exit", Length::Whole) else { return };
    assert!(report.left_out.iter().any(|line| line.starts_with("names that resolve")));
    assert_nothing_found(&report);
}

/// A third user stays: what is freed lies beside what lives.
#[test]
#[ignore = "ten minutes; make prove runs it"]
fn nothing_is_left_beside_a_user_who_stays() {
    let Some(images) = Images::find() else { return };
    let Some(report) = run(&images, "prove", Length::Busy) else { return };
    assert!(report.busy);
    assert_nothing_found(&report);
}

/// Claims T1, T3, T7: the same of requests to a gateway, of their paths, headers, bodies and answers.
#[test]
#[ignore = "ten minutes; make prove runs it"]
fn nothing_is_left_of_requests() {
    let Some(images) = Images::find() else { return };
    let Some(report) = run(&images, "prove-gateway", Length::Whole) else { return };
    assert!(report.driven.iter().any(|line| line.starts_with("requests to the gateway")));
    assert_nothing_found(&report);
}
