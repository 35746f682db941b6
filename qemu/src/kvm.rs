//! Whether to use KVM: only after a probe boot succeeded. `/dev/kvm` may exist and still crash guests.

use crate::firmware::Firmware;
use crate::interrupt;
use crate::machine::{Accel, Machine, QEMU, QEMU_PACKAGE};
use crate::process::Process;
use crate::scratch::Scratch;
use crate::text;
use serde_json::json;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use vitrine_attest::{Error, Result};

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// KVM if its probe boot succeeds, else TCG.
    Auto,
    Tcg,
    /// KVM, or an error when its probe boot fails.
    Kvm,
}

/// A working KVM boots the bare firmware in one or two seconds, TCG in six to ten.
const PATIENCE: Duration = Duration::from_secs(60);

impl Choice {
    /// TCG, unless `VITRINE_KVM=probe` asks for a probe.
    pub fn from_environment() -> Self {
        match std::env::var_os("VITRINE_KVM") {
            Some(value) if value == "probe" => Self::Auto,
            _ => Self::Tcg,
        }
    }

    /// # Errors
    /// When KVM was asked for by name and does not work.
    pub fn decide(self, log: &mut dyn FnMut(&str)) -> Result<Accel> {
        if self == Self::Tcg {
            return Ok(Accel::Tcg);
        }
        let outcome = if Path::new("/dev/kvm").exists() { probe(Accel::Kvm) } else { Err(no_kvm()) };
        match outcome {
            Ok(time) => {
                log(&format!("KVM works: the firmware came up in {:.1} s", time.as_secs_f32()));
                Ok(Accel::Kvm)
            }
            Err(error) if self == Self::Auto && !interrupt::requested() => {
                log(&format!("KVM is not used: {}", error.what));
                Ok(Accel::Tcg)
            }
            Err(error) => Err(error),
        }
    }
}

fn no_kvm() -> Error {
    Error::host("there is no /dev/kvm", "leave --accel out: everything works without it, slower")
}

/// Boots the bare firmware without a disk until it says on the console that there is nothing to boot. That
/// takes it through System Management Mode and both processors.
///
/// # Errors
/// When it crashes, stops, or says nothing in time.
pub fn probe(accel: Accel) -> Result<Duration> {
    let scratch = Scratch::new()?;
    let firmware = Firmware::find()?;
    let vars = scratch.write("vars.fd", &firmware.empty_vars)?;
    let mut machine = Machine::new(&firmware, vars, scratch.join("qmp.sock"), scratch.join("console.log"));
    machine.accel = accel;
    machine.memory_mib = 256;
    let log = File::create(scratch.join("qemu.log")).map_err(|e| Error::host(format!("qemu.log: {e}"), ""))?;
    let mut command = machine.command_line().command();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let started = Instant::now();
    let mut qemu = Process::start(QEMU, QEMU_PACKAGE, command)?;
    let mut qmp = crate::boot::connect(&mut qemu, &machine.qmp, &scratch)?;
    let spoke = interrupt::poll(started + PATIENCE, Duration::from_millis(100), || {
        if let Some(status) = qemu.ended() {
            return Err(Error::host(format!("the probe boot ended QEMU ({status})"), ""));
        }
        let state = qmp.execute("query-status", json!({}))?;
        if state["running"] != true {
            return Err(Error::host(format!("the probe boot stopped: {}", state["status"]), ""));
        }
        Ok(text::last_lines(&machine.console, 50).contains("BdsDxe").then(|| started.elapsed()))
    })?;
    spoke.ok_or_else(|| Error::host("the probe boot said nothing within 60 s", ""))
}
