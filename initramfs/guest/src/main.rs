//! PID 1 of the image: from the first instruction in user space to a tunnel that can prove what it is.
//!
//! Static, one thread, no shell, no helper program but the agent. It prints nothing and creates no file. Every step
//! either holds or ends the boot by [`stop::halt`]: no tunnel without evidence, no network before the firewall.
#![deny(unsafe_code)]
// Tests may print and panic: they are not in the image.
#![cfg_attr(test, allow(clippy::disallowed_macros, clippy::disallowed_methods))]

mod agent;
mod dhcp;
mod facts;
mod firewall;
mod firmware_log;
mod image;
mod keys;
mod modules;
mod mounts;
mod net;
mod nft;
mod orders;
mod outside;
mod peers;
mod privileges;
mod read;
mod serve;
mod stdio;
mod stop;
mod sys;
mod sysctl;

use agent::message::{Introduction, ToAgent};
use agent::process::{hand_over_tpm, Agent};
use agent::supervisor::Supervisor;
use image::Image;
use keys::KeyPair;
use net::outer::Outer;
use net::rtnl::{Routing, Use};
use net::wireguard::Tunnel;
use orders::Orders;
use outside::Outside;
use peers::Peers;
use std::convert::Infallible;
use stop::{halt, show, OrStop as _, Step};

fn main() {
    // A panic of PID 1 is a panic of the kernel, which restarts the machine; it says nothing.
    std::panic::set_hook(Box::new(|_| {}));
    if !rustix::process::getpid().is_init() {
        // Started by hand on some machine: the steps below would take it apart.
        std::process::exit(2);
    }
    let Err(stop) = boot();
    halt(stop)
}

/// The steps, in the order that the attestation rests on: measured before any interface is up, firewall before the
/// network, and no right left over once it serves.
fn boot() -> Step<Infallible> {
    let image = Image::read()?;
    let (introduction, wireguard_key, channel_key) = seal(&image)?;
    let agent = measure(&introduction)?;

    firewall::load(&image.config)?;
    let routing = Routing::open()?;
    routing.up(net::outer::index_of("lo").or_stop("lo")?)?;
    let outer = Outer::find(&routing)?;
    sysctl::outer_interface()?;
    let tunnel = open_tunnel(&image, &routing, &wireguard_key)?;
    drop(wireguard_key);
    let outside = Outside::open(&image.config, routing, outer)?;

    mounts::finish()?;
    privileges::drop_most()?;
    agent.tell(ToAgent::Serve)?;
    show("serving");

    let peers = Peers::new(introduction.wg_pub, image.config.wireguard.addresses.clone());
    let orders = Orders { channel: channel_key, owner: image.config.owner, peers, tunnel, last_seq: 0 };
    serve::run(Supervisor::new(introduction, agent), outside, orders)
}

/// Nothing can be loaded, written or swapped from here on; then the keys, and what is to be measured.
fn seal(image: &Image) -> Step<(Introduction, KeyPair, KeyPair)> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    privileges::harden()?;
    mounts::mount_all()?;
    stdio::silence()?;
    sysctl::before_modules(image.config.forward)?;
    modules::load_all()?;
    sysctl::after_modules()?;
    mounts::lock_root()?;
    hand_over_tpm()?;

    let (wireguard, channel) = (KeyPair::generate()?, KeyPair::generate()?);
    let introduction = Introduction {
        config_digest: image.config_digest,
        wg_pub: wireguard.public,
        channel_pub: channel.public,
        image_id: image.id.to_string(),
        facts: facts::collect()?,
        port: image.config.attestation.port,
        firmware_log: firmware_log::read()?,
        measured_already: false,
    };
    Ok((introduction, wireguard, channel))
}

/// The agent extends PCR 15, or there is no server.
fn measure(introduction: &Introduction) -> Step<Agent> {
    let mut agent = Agent::start(introduction)?;
    agent.wait_measured()?;
    Ok(agent)
}

/// The tunnel's interface with its key, port, addresses; without peers.
fn open_tunnel(image: &Image, routing: &Routing, key: &KeyPair) -> Step<Tunnel> {
    let wireguard = &image.config.wireguard;
    let index = routing.create_wireguard(net::TUNNEL, wireguard.mtu)?;
    let tunnel = Tunnel::open()?;
    tunnel.configure(key, wireguard.port)?;
    wireguard.addresses.iter().try_for_each(|address| routing.add_address(index, *address, Use::Inside))?;
    routing.up(index)?;
    Ok(tunnel)
}
