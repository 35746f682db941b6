//! `recipes/exit-metal.toml` with network cards of real machines: the two of its families that every QEMU has, and one
//! that newer ones have.

use crate::images::Images;
use crate::machine::{boot, set_cable, Cable, Judged, Running};
use crate::user::{User, MOMENT};
use std::net::{Ipv6Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;
use vitrine_qemu::boot::{Guest, Options};
use vitrine_qemu::machine::QEMU;
use vitrine_qemu::web::Web;

const IMAGE: &str = "exit-metal";
/// The host's `::1` as QEMU's network shows it to a guest.
const HOST6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x113, 0, 0, 0, 0, 2);
/// How long the cable is out.
const AWAY: Duration = Duration::from_secs(5);

/// Driver e1000e: a card on the boards of servers.
#[test]
fn intel_on_board() {
    works_with("e1000e");
}

/// Driver vmxnet3.
#[test]
fn vmware() {
    works_with("vmxnet3");
}

/// Driver igb.
#[test]
#[ignore = "minutes more: make prove"]
fn intel_server() {
    if qemu_has("igb") {
        works_with("igb");
    } else {
        assert!(std::env::var_os("CI").is_none(), "igb needs QEMU 8");
        eprintln!("skipped: igb needs QEMU 8");
    }
}

/// A virtual machine's card works with the same image.
#[test]
#[ignore = "minutes more: make prove"]
fn virtio() {
    works_with("virtio-net-pci");
}

/// Asked for a single card that it does not know, QEMU 7.2 ends well all the same: its list tells.
fn qemu_has(card: &str) -> bool {
    let listed = Command::new(QEMU).args(["-device", "help"]).output().unwrap();
    String::from_utf8_lossy(&listed.stdout).contains(&format!("name \"{card}\""))
}

#[test]
fn cards_that_qemu_has() {
    assert!(qemu_has("vmxnet3") && !qemu_has("no-such-card"));
}

/// Accepted; a lease, router advertisements and frames of both families come through the card, also after its cable
/// was out.
fn works_with(card: &str) {
    let Some(images) = Images::find() else { return };
    let options = Options::new(images.read(&format!("{IMAGE}/image.efi")), images.secure_boot());
    let mut running = boot(&Options { card: card.parse().unwrap(), ..options });
    let judged = judge(&images, &running);
    judged.assert_accepted();

    let user = User::new(&images, IMAGE, judged.report.keys.as_ref().unwrap().wireguard);
    user.is_nobody(&running.guest);
    user.add(&running.guest);
    browses_both(&user, &running.guest);

    set_cable(&mut running.guest, Cable::Out);
    std::thread::sleep(AWAY);
    set_cable(&mut running.guest, Cable::In);
    browses_both(&user, &running.guest);
    user.remove(&running.guest);
    user.is_nobody(&running.guest);
    judge(&images, &running).assert_accepted();
}

fn judge(images: &Images, running: &Running) -> Judged {
    let statement = images.path(&format!("{IMAGE}/release.dsse.json"));
    Judged::check_statement(running.guest.url(), statement, images, running.guest.ek_roots(), &[])
}

/// IPv4 and IPv6, inside the tunnel and outside.
fn browses_both(user: &User, guest: &Guest) {
    let mut client = user.browses(guest);
    let web = Web::on((Ipv6Addr::LOCALHOST, 0).into()).unwrap();
    let page = client.get(SocketAddr::from((HOST6, web.port())), "/", MOMENT).unwrap();
    assert_eq!((page.status, web.served()), (200, 1));
}
