//! Another program judges: credentials made here are activated by swtpm through tpm2-tools, and quotes made there
//! are read and verified here. Skipped with a message where swtpm or tpm2-tools are missing, except in CI.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vitrine_attest::credential::make_credential;
use vitrine_attest::ek::{self, Roots};
use vitrine_attest::tpm::{Attest, Public, Refused, Signature};

/// A software TPM in a scratch folder; both end with it.
struct Swtpm {
    child: Child,
    folder: PathBuf,
    tcti: String,
}

impl Swtpm {
    fn start(name: &str) -> Option<Self> {
        Self::start_prepared(name, |_| {})
    }

    /// `prepare` may put a TPM's state into the folder.
    fn start_prepared(name: &str, prepare: impl FnOnce(&Path)) -> Option<Self> {
        let found = |tool: &str| Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_ok();
        if !found("swtpm") || !found("tpm2_createek") {
            assert!(std::env::var_os("CI").is_none(), "swtpm and tpm2-tools are needed in CI");
            eprintln!("skipped: install swtpm and tpm2-tools");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("vitrine-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        prepare(&folder);
        // tpm2-tools take the port after the server's for its control channel
        (0..20).find_map(|_| Self::try_start(&folder))
    }

    fn try_start(folder: &Path) -> Option<Self> {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let control = TcpListener::bind(("127.0.0.1", port.checked_add(1)?)).ok()?;
        drop((server, control));
        let mut child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--tpmstate"])
            .arg(format!("dir={}", folder.display()))
            .args(["--server", &format!("type=tcp,port={port}"), "--ctrl", &format!("type=tcp,port={}", port + 1)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // listening on the control port, which swtpm opens last
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port + 1)).is_err() {
            if Instant::now() > deadline || child.try_wait().unwrap().is_some() {
                let _ = child.kill();
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { child, folder: folder.into(), tcti: format!("swtpm:host=127.0.0.1,port={port}") })
    }

    /// Runs one of tpm2-tools in the scratch folder, and takes out the objects it left in the TPM's few places.
    fn run(&self, line: &str) {
        self.run_only(line);
        self.run_only("tpm2_flushcontext -t");
    }

    fn run_only(&self, line: &str) {
        let mut words = line.split_whitespace();
        let output = Command::new(words.next().unwrap())
            .args(words)
            .current_dir(&self.folder)
            .env("TPM2TOOLS_TCTI", &self.tcti)
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(name)).unwrap()
    }

    fn public(&self, name: &str) -> Public {
        Public::parse_sized(&self.read(name)).unwrap()
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn activate(algorithm: &str) {
    let Some(tpm) = Swtpm::start(&format!("activate-{algorithm}")) else { return };
    tpm.run(&format!("tpm2_createek -c ek.ctx -G {algorithm} -u ek.pub"));
    tpm.run("tpm2_createak -C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pub -n ak.name");
    let (ek, ak) = (tpm.public("ek.pub"), tpm.public("ak.pub"));
    let name = ak.name().unwrap();
    assert_eq!(name, tpm.read("ak.name"));
    let secret = *b"a secret of thirty-two bytes 012";
    let credential = make_credential(&ek, &name, &secret).unwrap();
    // the file form of tpm2-tools: magic, version, both structures
    let file =
        [&[0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1][..], &credential.id_object, &credential.encrypted_secret].concat();
    std::fs::write(tpm.folder.join("credential"), file).unwrap();
    tpm.run("tpm2_startauthsession --policy-session -S session.ctx");
    tpm.run("tpm2_policysecret -S session.ctx -c e");
    tpm.run("tpm2_activatecredential -c ak.ctx -C ek.ctx -i credential -o activated -P session:session.ctx");
    assert_eq!(tpm.read("activated"), secret);
}

#[test]
fn swtpm_activates_our_credential_with_an_ecc_ek() {
    activate("ecc");
}

#[test]
fn swtpm_activates_our_credential_with_an_rsa_ek() {
    activate("rsa");
}

#[test]
fn a_quote_by_a_primary_of_the_endorsement_hierarchy() {
    let Some(tpm) = Swtpm::start("quote") else { return };
    let attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign|noda";
    tpm.run(&format!("tpm2_createprimary -C e -G ecc256:ecdsa-sha256:null -g sha256 -a {attributes} -c ak.ctx"));
    tpm.run("tpm2_readpublic -c ak.ctx -o ak.pub");
    tpm.run("tpm2_quote -c ak.ctx -l sha256:4,7,9,11,12,13,14,15 -q abcd -m quote -s signature -g sha256");
    let (ak, message) = (tpm.public("ak.pub"), tpm.read("quote"));
    let signature = Signature::parse(&tpm.read("signature")).unwrap();
    assert_eq!(signature.verify(&ak, &message), Ok(()));
    assert_eq!(signature.verify(&ak, &message[1..]), Err(Refused::Invalid));
    let attest = Attest::parse(&message).unwrap();
    assert_eq!(attest.qualified_signer, ak.qualified_name().unwrap());
    let quote = attest.quote.unwrap();
    assert_eq!(quote.selections.len(), 1);
    assert_eq!(quote.selections[0].bitmap, vitrine_attest::pcr::Pcr::quoted_bitmap());
    assert_eq!((attest.extra_data, quote.trailing), (vec![0xab, 0xcd], 0));
    // the same template under the owner hierarchy has another qualified name
    tpm.run(&format!("tpm2_createprimary -C o -G ecc256:ecdsa-sha256:null -g sha256 -a {attributes} -c other.ctx"));
    tpm.run("tpm2_readpublic -c other.ctx -o other.pub -q other.qname");
    assert_ne!(tpm.read("other.qname"), tpm.public("other.pub").qualified_name().unwrap());
}

/// Makes a TPM with an EK certificate by a local CA; all of its files are in the folder.
fn certified(folder: &Path) {
    let at = folder.display();
    let localca = format!(
        "statedir = {at}\nsigningkey = {at}/signkey.pem\nissuercert = {at}/issuer.pem\ncertserial = {at}/serial\n"
    );
    std::fs::write(folder.join("localca.conf"), localca).unwrap();
    std::fs::write(
        folder.join("localca.options"),
        "--platform-manufacturer X\n--platform-version 1\n--platform-model Y\n",
    )
    .unwrap();
    let setup = format!(
        "create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = {at}/localca.conf\n\
         create_certs_tool_options = {at}/localca.options\nactive_pcr_banks = sha256\n"
    );
    std::fs::write(folder.join("setup.conf"), setup).unwrap();
    let status = Command::new("swtpm_setup")
        .args(["--tpm2", "--create-ek-cert", "--pcr-banks", "sha256", "--tpm-state", &at.to_string()])
        .args(["--config", &format!("{at}/setup.conf")])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn the_ek_certificate_of_a_local_ca() {
    let Some(tpm) = Swtpm::start_prepared("ek", certified) else { return };
    tpm.run("tpm2_createek -c ek.ctx -G rsa -u ek.pub");
    // NV index of the RSA certificate (TCG EK Credential Profile 2.5, §2.2.1.4)
    tpm.run("tpm2_nvread -C o 0x1c00002 -o certificate");
    let (certificate, ek) = (tpm.read("certificate"), tpm.public("ek.pub"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let (root, issuer) = (tpm.read("swtpm-localca-rootca-cert.pem"), tpm.read("issuer.pem"));
    let both = Roots::parse(&[root.clone(), issuer.clone()].concat()).unwrap();
    assert!(ek::verify(&certificate, &ek, &both, now).is_ok());
    assert!(ek::verify(&certificate, &ek, &Roots::parse(&issuer).unwrap(), now).is_ok());
    // the TPM holds no intermediate certificate, so the root alone is not enough
    let alone = ek::verify(&certificate, &ek, &Roots::parse(&root).unwrap(), now);
    assert_eq!(alone.unwrap_err().code(), "ek-chain-untrusted");
}
