//! V23: the server names the statement's image, and it is no development image.
//!
//! Development images have a console and a shell and say so in their name, which is measured. What the server says of
//! itself is bound by V11; which image really started is V15's.

use super::Check;
use crate::case::Case;
use crate::outcome::{CheckResult, Failure};
use vitrine_attest::evidence::{is_dev_name, ImageId};

pub const CHECK: Check = Check { code: "V23", title: "it is the published image, and no dev image", run };

fn run(case: &Case) -> CheckResult {
    let got = &case.evidence()?.image_id;
    if is_dev_name(got.split(' ').next().unwrap_or_default()) {
        return Err(
            Failure::new("dev-image", "the server runs a development image: it has a console and a shell").into()
        );
    }
    let image = &case.release()?.image;
    if is_dev_name(&image.name) {
        return Err(Failure::new("dev-image", "the statement is for a development image").into());
    }
    let expected = ImageId { name: image.name.clone(), version: image.version.clone(), lock: image.lock }.to_string();
    if *got == expected {
        return Ok(String::new());
    }
    Err(Failure::differs("image-differs", "name, version and lock of the image", expected, got).into())
}
