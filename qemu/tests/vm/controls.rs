//! What `make controls` starts from can be built: a control that cannot be tried shows nothing.

use crate::images::Images;
use std::path::Path;
use vitrine_qemu::controls::{Base, Control, Server, Surroundings, Variants};

/// No machine is started here, and no mistake is made: `make controls` does that.
#[test]
fn the_gateway_of_the_controls_can_be_built() {
    let Some(images) = Images::find() else { return };
    let [names, upstream, app] = ["names", "upstream", "nosy"].map(|name| images.path(name));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("controls");
    let variants = Variants::by("vitrine".into(), &folder, Surroundings { names, upstream, app }).unwrap();
    // the images' own, where the mirrors have dropped what the committed one names
    let fresh = Some(images.path("gateway.lock.toml")).filter(|lock| lock.is_file());
    let variants = variants.with_lock(fresh);
    let unchanged = Control::unchanged(Server::Gateway);
    let (code, findings) = variants.screen(&unchanged, Base::Proven(Server::Gateway), &[]).unwrap();
    let open = findings.findings.iter().filter(|finding| finding.waived.is_none()).count();
    assert_eq!((code, open), (0, 0), "{findings:?}");
    let (out, _) = variants.build(&unchanged).unwrap();
    assert!(out.join("image.efi").is_file());
}
