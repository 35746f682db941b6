//! The reproducibility matrix: the same build under other conditions, one row for each, and not a byte may differ.
//!
//! `the_image_is_the_same_under_every_condition` needs what `make images` leaves, and builds images of ready programs. The ignored
//! test compiles the programs, too: `make reproduce`. What each column of a row says was asked there, by a command that ran in
//! the same place and in the same way as the build. Where a condition cannot be had on this machine the row says "not tried"
//! and why, and in CI that is a failure.

mod condition;
mod ground;
mod host;
mod image;
mod programs;
mod report;
mod setting;
#[path = "../whole/mod.rs"]
mod whole;

use ground::Ground;
use report::Report;
use std::path::Path;

#[test]
fn the_image_is_the_same_under_every_condition() {
    if !whole::possible() {
        return;
    }
    let ground = Ground::new(Some(Path::new(&whole::programs())));
    let mut report = Report::new("images");
    image::rows(&ground, &mut report);
    report.judge(std::env::var_os("CI").is_some());
}

#[test]
#[ignore = "compiles the programs four times: make reproduce"]
fn programs_and_image_are_the_same_under_every_condition() {
    let mut report = Report::new("reproduce");
    let compiled = programs::rows(&mut report);
    image::rows(&Ground::new(Some(&compiled.programs())), &mut report);
    report.judge(false);
}
