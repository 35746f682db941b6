//! PID 1 of the image: from the first instruction in user space to a tunnel that can prove what it is.
//!
//! Static, one thread, no shell, no helper program but its few children. It prints nothing and creates no file. Every step
//! either holds or ends the boot by [`stop::halt`]: no tunnel without evidence, no network before the firewall.
#![deny(unsafe_code)]
// Tests may print and panic: they are not in the image.
#![cfg_attr(test, allow(clippy::disallowed_macros, clippy::disallowed_methods))]

mod children;
mod conntrack;
mod dhcp;
mod facts;
mod firewall;
mod firmware_log;
mod fuse;
mod image;
mod janitor;
mod keys;
mod metrics;
mod modules;
mod mounts;
mod net;
mod orders;
mod outside;
mod peers;
mod privileges;
#[cfg(feature = "probe")]
mod probe;
mod read;
mod rotation;
#[cfg(feature = "saboteur")]
mod saboteur;
mod serve;
mod stdio;
mod stop;
mod sys;
mod sysctl;
mod tunnels;
mod userland;
mod watch;

use children::{hand_over_tpm, prepare_roots, Agent, App, Children, Gateway, Page, Resolver};
use fuse::Fuse;
use image::Image;
use janitor::Janitor;
use keys::BootSecrets;
use metrics::Metrics;
use net::outer::Outer;
use net::rtnl::Routing;
use orders::Orders;
use outside::Outside;
use peers::Peers;
use rotation::Rotation;
use serve::Server;
use std::convert::Infallible;
use std::time::Instant;
use stop::{halt, show, OrStop as _, Step};
use tunnels::Tunnels;
use userland::Starting;
use vitrine_attest::boot::BootKeys;
use vitrine_attest::config::Config;
use vitrine_attest::inside::Introduction;
use watch::{Ruleset, Watch};

/// Users' keys and addresses come and go; nothing of them stays in memory that was freed.
#[global_allocator]
static ALLOCATOR: vitrine_wiping::Wiping = vitrine_wiping::Wiping::new();

fn main() {
    // A panic of PID 1 is a panic of the kernel, which restarts the machine; it says nothing.
    std::panic::set_hook(Box::new(|_| {}));
    if !rustix::process::getpid().is_init() {
        // Started by systemd in an image with a userland; by hand on some machine the steps below would take it apart.
        userland::guard();
        std::process::exit(2);
    }
    let Err(stop) = boot();
    halt(stop)
}

/// The steps, in the order that the attestation rests on: measured before any interface is up, firewall before the
/// network, and no right left over once it serves.
fn boot() -> Step<Infallible> {
    let image = Image::read()?;
    lock_down(&image.config)?;
    let fuse = Fuse::open()?;
    let userland = userland::divide()?;
    let (secrets, keys) = BootSecrets::generate()?;
    let agent = Agent::measure(introduction(&image, keys.clone())?)?;

    firewall::load()?;
    let ruleset = Ruleset::open()?;
    let network = Network::open(&image.config, &secrets)?;
    let metrics = Metrics::open(&image.config, Instant::now())?;
    let janitor = Janitor::open(&image.config)?;
    let inner = Inner {
        watch: Watch::open(&image.config, ruleset)?,
        metrics,
        janitor,
        fuse,
        #[cfg(feature = "saboteur")]
        saboteur: saboteur::Saboteur::open(),
    };

    mounts::finish()?;
    privileges::drop_most()?;
    let server = assemble(&image, agent, secrets, keys, network, inner)?;
    userland.map_or(Ok(()), Starting::done)?;
    show("serving");
    #[cfg(feature = "probe")]
    probe::run();
    server.run()
}

/// Nothing can be loaded, written or swapped from here on, and every child has its root.
fn lock_down(config: &Config) -> Step {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    privileges::harden()?;
    if let Some(gateway) = &config.gateway {
        privileges::allow_files(children::program::gateway_files(gateway))?;
    }
    if config.app.is_some() {
        privileges::allow_files(children::program::APP_FILES)?;
    }
    mounts::mount_all()?;
    stdio::silence()?;
    sysctl::before_modules(config)?;
    modules::load_all()?;
    sysctl::after_modules()?;
    mounts::lock_root()?;
    hand_over_tpm()?;
    prepare_roots()
}

/// What is to be measured.
fn introduction(image: &Image, keys: BootKeys) -> Step<Introduction> {
    Ok(Introduction {
        config_digest: image.config_digest,
        keys,
        rotated: vec![],
        image_id: image.id.to_string(),
        facts: facts::collect()?,
        port: image.config.attestation.port,
        firmware_log: firmware_log::read()?,
        measured_already: false,
        violation: None,
        attached: None,
    })
}

/// Both sides of the server.
struct Network {
    tunnels: Tunnels,
    outside: Outside,
}

impl Network {
    fn open(config: &Config, secrets: &BootSecrets) -> Step<Self> {
        let routing = Routing::open()?;
        routing.up(net::outer::index_of("lo").or_stop("lo")?)?;
        let outer = Outer::find(&routing)?;
        sysctl::outer_interface()?;
        let tunnels = Tunnels::open(config, &routing, &secrets.wireguard)?;
        Ok(Self { tunnels, outside: Outside::open(config, routing, outer)? })
    }
}

/// What looks at the server itself.
struct Inner {
    metrics: Option<Metrics>,
    janitor: Janitor,
    watch: Watch,
    fuse: Fuse,
    #[cfg(feature = "saboteur")]
    saboteur: saboteur::Saboteur,
}

/// Hands every secret to the one part that needs it; the first WireGuard key is the kernel's alone from here on.
fn assemble(
    image: &Image,
    mut agent: Agent,
    secrets: BootSecrets,
    keys: BootKeys,
    network: Network,
    inner: Inner,
) -> Step<Server> {
    let (config, now) = (&image.config, Instant::now());
    let most = usize::try_from(config.peers.most).or_stop("config-problem")?;
    let peers = Peers::new(keys.wg_pub, config.wireguard.addresses.clone(), most);
    agent.serve(now)?;
    let children = Children {
        agent,
        resolver: Resolver::new(config, secrets.tls.clone(), now),
        gateway: Gateway::new(config, secrets.tls, now),
        app: App::new(config, now),
        page: inner.metrics.as_ref().and_then(|metrics| Page::new(config, metrics.first_page(), now)),
    };
    Ok(Server {
        children,
        outside: network.outside,
        orders: Orders::new(secrets.channel, config.owner, peers),
        tunnels: network.tunnels,
        rotation: Rotation::new(config, image.config_digest, keys, secrets.signing, now),
        janitor: inner.janitor,
        metrics: inner.metrics,
        watch: inner.watch,
        fuse: inner.fuse,
        violation: None,
        #[cfg(feature = "saboteur")]
        saboteur: inner.saboteur,
        #[cfg(feature = "probe")]
        killer: probe::Killer::default(),
        #[cfg(feature = "probe")]
        cost: probe::Cost::default(),
    })
}
