//! `vitrine-qemu boot`: one guest until Ctrl-C.

use super::{files, note, print};
use crate::boot::{Arrival, Guest, Options, SecureBoot};
use crate::cli::Boot;
use crate::interrupt;
use crate::kvm::Choice;
use crate::progress::Waiting;
use serde_json::json;
use std::time::Duration;
use vitrine_attest::{Error, Result};

pub fn run(args: &Boot) -> Result<u8> {
    let options = options(args)?;
    let mut guest = Guest::start(&options, &mut note)?;
    let waiting = Waiting::begin("waiting for the server");
    let arrival = guest.wait(Duration::from_secs(args.patience));
    waiting.end();
    let time = match arrival? {
        Arrival::Up(time) => time,
        Arrival::RefusedByFirmware(words) => {
            return Err(Error::artefact(
                format!("the firmware refused the image: {words}"),
                "sign it with the db.key that belongs to these firmware keys: vitrine sign",
            ));
        }
    };
    print(&describe(args, &guest, time)?)?;
    note("Ctrl-C stops it and removes everything");
    stay(&mut guest)?;
    Ok(0)
}

fn options(args: &Boot) -> Result<Options> {
    let secure_boot = match &args.firmware.secure_boot {
        Some(path) => files::secure_boot(path)?,
        None => SecureBoot::Off,
    };
    let mut options = Options::new(files::image(&args.out)?, secure_boot);
    options.memory_mib = args.machine.memory;
    options.accel = args.machine.accel.map_or_else(Choice::from_environment, Choice::from).decide(&mut note)?;
    options.keep = args.machine.keep;
    options.card.clone_from(&args.card);
    options.wireguard_port = args.wireguard_port;
    options.attestation_port = args.attestation_port;
    options.extra.clone_from(&args.extra);
    if let Some(config) = files::unchecked_config(&args.out) {
        options.guest_ports = files::guest_ports(&config);
    }
    Ok(options)
}

fn describe(args: &Boot, guest: &Guest, time: Duration) -> Result<String> {
    let seconds = time.as_millis() as f64 / 1000.0;
    if args.machine.json {
        let value = json!({
            "v": 1,
            "url": guest.url(),
            "wireguard": guest.wireguard().to_string(),
            "ek_roots": guest.ek_roots(),
            "folder": guest.folder(),
            "milliseconds": u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        });
        let text = serde_json::to_string(&value).map_err(|e| Error::bug(e.to_string()))?;
        return Ok(format!("{text}\n"));
    }
    Ok(format!(
        "up after {seconds:.1} s\nevidence   {}\nwireguard  {}\nek roots   {}\n",
        guest.url(),
        guest.wireguard(),
        guest.ek_roots().display()
    ))
}

/// Until somebody asks us to stop, or QEMU ends.
fn stay(guest: &mut Guest) -> Result<()> {
    while !interrupt::requested() {
        if !guest.is_running() {
            return Err(Error::host("QEMU ended", "boot it with --keep and look into its folder"));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
