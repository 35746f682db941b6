//! The watch finds a violation, and the TPM does not take it.

use super::proxy::{Proxy, PCR_EXTEND};
use super::FAILURE;
use crate::images::Images;
use crate::machine::{with_tpm, PATIENCE};
use crate::server::{accepted, start};
use crate::watch::tagged;
use crate::world::{Names, User, World};
use std::time::{Duration, Instant};
use vitrine_qemu::scratch::Scratch;
use vitrine_qemu::tpm::Pristine;

const IMAGE: &str = "saboteur";

/// Evidence that does not say it must not go on: PID 1 has closed the tunnel by then, and ends the boot. The saboteur keeps
/// the right to switch the machine off, and does so; a shipped PID 1 has given it up, and restarts it (`stop.rs`).
#[test]
fn a_violation_that_cannot_be_recorded_ends_the_boot() {
    let Some(images) = Images::find() else { return };
    World::run(|world| {
        let _names = Names::start(&images.path("names"));
        let scratch = Scratch::new().unwrap();
        let pristine = Pristine::named("default").unwrap();
        let tpm = pristine.start(&scratch).unwrap();
        let proxy = Proxy::start(scratch.join("proxy.sock"), &tpm.socket);
        let running = start(world, &images, IMAGE, |options| with_tpm(tagged(options, "mount"), &proxy.socket));
        std::fs::copy(pristine.ek_roots(), running.guest.ek_roots()).unwrap();
        let mut server = accepted(&images, IMAGE, running);
        let (_user, client) = server.join(2);

        proxy.plan(FAILURE, Some(PCR_EXTEND), 1);
        // The second peer is the saboteur's sign
        server.add(&User::number(3));
        server.wait_until("PID 1 blows the fuse", PATIENCE, |_| proxy.left() == 0);
        client.cannot_ping("10.66.0.1");
        let deadline = Instant::now() + PATIENCE;
        while server.running.guest.is_running() {
            assert!(Instant::now() < deadline, "the boot goes on");
            std::thread::sleep(Duration::from_millis(200));
        }
    });
}
