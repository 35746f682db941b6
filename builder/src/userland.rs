//! What an image has besides when PID 1 becomes systemd: the settings by which it is silent, and the unit by which the
//! machine ends with the server. See `docs/masks.md`.

use crate::recipe::Pid1;
use vitrine_initramfs::TextFile;

/// Init reads this: without it PID 1 stays what it is.
const PID1: (&str, &str) = ("/etc/vitrine/pid1", "systemd\n");

/// systemd-system.conf(5). What systemd or a unit says goes to /dev/null; nothing dumps core.
const MANAGER: (&str, &str) = (
    "/etc/systemd/system.conf.d/vitrine.conf",
    "\
[Manager]
LogTarget=null
LogLevel=emerg
ShowStatus=no
DefaultStandardOutput=null
DefaultStandardError=null
DumpCore=no
CrashAction=poweroff
CtrlAltDelBurstAction=none
DefaultLimitCORE=0
",
);

/// Waits for the server's end, which is the machine's.
const SERVICE: (&str, &str) = (
    "/etc/systemd/system/vitrine.service",
    "\
[Unit]
Description=The machine ends with its server
DefaultDependencies=no
RefuseManualStop=yes
FailureAction=poweroff-immediate
SuccessAction=poweroff-immediate
[Service]
Type=exec
ExecStart=/init
StandardInput=null
StandardOutput=null
StandardError=null
CapabilityBoundingSet=
NoNewPrivileges=yes
",
);

/// Everything that systemd starts comes after it, or the machine ends.
const WANTED: (&str, &str) =
    ("/etc/systemd/system/sysinit.target.d/vitrine.conf", "[Unit]\nRequires=vitrine.service\nAfter=vitrine.service\n");

/// Nothing is enabled by a package's own wish (systemd.preset(5)).
const PRESET: (&str, &str) = ("/etc/systemd/system-preset/00-vitrine.preset", "disable *\n");

/// Empty: this machine has no identity, and is not at its first boot (machine-id(5)).
const MACHINE_ID: (&str, &str) = ("/etc/machine-id", "");

/// Files of the configuration's layer.
pub fn files(pid1: Pid1) -> Vec<TextFile> {
    let all: &[(&str, &str)] = match pid1 {
        Pid1::Vitrine => &[],
        Pid1::Systemd => &[PID1, MANAGER, SERVICE, WANTED, PRESET, MACHINE_ID],
    };
    let file = |(path, text): &(&str, &str)| TextFile { path: (*path).into(), bytes: (*text).into(), mode: 0o444 };
    all.iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_userland_has_them() {
        assert!(files(Pid1::Vitrine).is_empty());
        assert!(files(Pid1::Systemd).iter().any(|file| file.path == PID1.0));
    }

    /// Claim A8: every stream that a unit may have by default is /dev/null.
    #[test]
    fn streams_go_nowhere() {
        for line in ["LogTarget=null", "DefaultStandardOutput=null", "DefaultStandardError=null", "ShowStatus=no"] {
            assert!(MANAGER.1.lines().any(|said| said == line), "{line}");
        }
    }
}
