//! Another program judges the table of `memory/compare.rs`: how counters and clock of swtpm's TPM move when it is reset,
//! restarted, resumed, cleared, and put back to a copy. Skipped with a message where swtpm or tpm2-tools are missing,
//! except in CI.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vitrine_attest::boot::BootKeys;
use vitrine_attest::digest::{hex, Key32};
use vitrine_attest::pcr::PcrValues;
use vitrine_attest::tpm::{Attest, ClockInfo};
use vitrine_attest::Sha256;
use vitrine_verifier::memory::{problem, Boot};

/// Runs until it is dropped, without a word to its TPM: as when the power fails.
struct Swtpm {
    child: Child,
    tcti: String,
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the TPM is started: `TPM2_Startup` with CLEAR, or with STATE.
fn start(state: &Path, startup: &str) -> Swtpm {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        assert!(Instant::now() < deadline, "swtpm does not start");
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        // tpm2-tools take the port after the server's for its control channel
        let Some(control) = port.checked_add(1).and_then(|port| TcpListener::bind(("127.0.0.1", port)).ok()) else {
            continue;
        };
        drop((server, control));
        let child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", &format!("not-need-init,startup-{startup}"), "--tpmstate"])
            .arg(format!("dir={}", state.display()))
            .args(["--server", &format!("type=tcp,port={port}"), "--ctrl", &format!("type=tcp,port={}", port + 1)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut swtpm = Swtpm { child, tcti: format!("swtpm:host=127.0.0.1,port={port}") };
        while swtpm.child.try_wait().unwrap().is_none() && Instant::now() < deadline {
            if TcpStream::connect(("127.0.0.1", port + 1)).is_ok() {
                return swtpm;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Swtpm {
    fn run(&self, folder: &Path, line: &str) {
        let mut words = line.split_whitespace();
        let output = Command::new(words.next().unwrap())
            .args(words)
            .current_dir(folder)
            .env("TPM2TOOLS_TCTI", &self.tcti)
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What a quote by an attestation key of the endorsement hierarchy says, as the agent makes both.
    fn seen(&self, folder: &Path, keys: u8) -> (ClockInfo, Boot) {
        let attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign|noda";
        self.run(folder, &format!("tpm2_createprimary -C e -G ecc:ecdsa-sha256:null -a {attributes} -c ak"));
        self.run(folder, "tpm2_readpublic -c ak -n name");
        self.run(folder, "tpm2_quote -c ak -l sha256:15 -q 00 -m attest -s signature -g sha256");
        self.run(folder, "tpm2_flushcontext -t");
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let attest = Attest::parse(&read("attest")).unwrap();
        let boot = Boot {
            reset_count: attest.clock.reset_count,
            restart_count: attest.clock.restart_count,
            clock: attest.clock.clock,
            firmware_version: format!("{:016x}", attest.firmware_version),
            ak_name: hex(&read("name")),
            keys: BootKeys {
                wg_pub: Key32([keys; 32]),
                channel_pub: Key32([keys + 1; 32]),
                sign_pub: Key32([keys + 2; 32]),
                tls_spki: Sha256([keys + 3; 32]),
            },
            firmware: PcrValues::default(),
        };
        (attest.clock, boot)
    }
}

fn reason(before: &Boot, now: &Boot) -> &'static str {
    problem(before, now).map_or("", |failure| failure.reason)
}

#[test]
fn counters_of_a_tpm() {
    let found = |tool: &str| Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found("swtpm") || !found("tpm2_quote") {
        assert!(std::env::var_os("CI").is_none(), "swtpm and tpm2-tools are needed in CI");
        eprintln!("skipped: install swtpm and tpm2-tools");
        return;
    }
    let (state, files, copy) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (state, files) = (state.path(), files.path());
    let kept = [state.join("tpm2-00.permall"), copy.path().join("copy")];

    let tpm = start(state, "clear");
    let (_, first) = tpm.seen(files, 1);
    assert_eq!(reason(&first, &tpm.seen(files, 1).1), "", "the same boot");
    assert_eq!(reason(&first, &tpm.seen(files, 9).1), "boot-differs-without-reset");
    tpm.run(files, "tpm2_shutdown -c");
    drop(tpm);
    std::fs::copy(&kept[0], &kept[1]).unwrap();

    let tpm = start(state, "clear");
    let (clock, second) = tpm.seen(files, 9);
    assert!(clock.safe && second.reset_count == first.reset_count + 1 && second.ak_name == first.ak_name);
    assert_eq!(reason(&first, &second), "", "booted since, with new keys");
    assert_eq!(reason(&first, &tpm.seen(files, 1).1), "boot-keys-survived-reset");
    assert_eq!(reason(&second, &first), "reset-count-went-back");
    tpm.run(files, "tpm2_shutdown");
    drop(tpm);

    let tpm = start(state, "state");
    let (_, resumed) = tpm.seen(files, 9);
    assert_eq!((resumed.reset_count, resumed.restart_count), (second.reset_count, second.restart_count + 1));
    assert_eq!(reason(&second, &resumed), "", "suspended and woken");
    assert_eq!(reason(&resumed, &second), "restart-count-went-back");
    tpm.run(files, "tpm2_shutdown");
    drop(tpm);

    let tpm = start(state, "clear");
    let (_, restarted) = tpm.seen(files, 19);
    assert_eq!((restarted.reset_count, restarted.restart_count), (second.reset_count, second.restart_count + 2));
    assert_eq!(reason(&resumed, &restarted), "", "another boot out of a suspend: new keys, no reset");
    drop(tpm);

    // the power failed: the clock may stand back, and says so; V16 asks for that first
    let tpm = start(state, "clear");
    let (clock, cut) = tpm.seen(files, 29);
    assert!(!clock.safe && cut.reset_count == restarted.reset_count + 1);
    tpm.run(files, "tpm2_clear");
    let (clock, cleared) = tpm.seen(files, 29);
    assert!(clock.safe && (cleared.reset_count, cleared.restart_count) == (0, 0) && cleared.ak_name == first.ak_name);
    assert_eq!(reason(&cut, &cleared), "reset-count-went-back");
    drop(tpm);

    std::fs::copy(&kept[1], &kept[0]).unwrap();
    let tpm = start(state, "clear");
    let (clock, back) = tpm.seen(files, 39);
    assert!(clock.safe, "a copy of an orderly shutdown knows of nothing later");
    assert_eq!(reason(&restarted, &back), "restart-count-went-back");
    assert_eq!(reason(&cut, &back), "reset-count-went-back");
}
