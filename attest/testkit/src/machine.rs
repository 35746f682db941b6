//! A machine with a TPM: its firmware measures, its guest makes keys, quotes and opens credentials. All by tpm2-tools.

use crate::firmware::{Event, SHA1, SHA256};
use crate::sized;
use crate::swtpm::{Factory, Swtpm};
use vitrine_attest::boot::RuntimeEvent;
use vitrine_attest::digest::hex;
use vitrine_attest::evidence::ActivationRequest;
use vitrine_attest::tpm::Public;
use vitrine_attest::{Error, Result};

/// Of [`Machine::key`]: what the agent in the image asks for.
pub const RESTRICTED: &str = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign|noda";
pub const UNRESTRICTED: &str = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign|noda";
pub const ECDSA: &str = "ecc256:ecdsa-sha256:null";
/// The registers of the policy, as tpm2-tools name them.
pub const QUOTED: &str = "sha256:4,7,9,11,12,13,14,15";
/// Where swtpm_setup left the EK.
const EK: &str = "0x81010001";

/// A key in the TPM.
#[derive(Clone)]
pub struct Key {
    /// File of the saved context.
    context: String,
    /// TPMT_PUBLIC.
    pub area: Vec<u8>,
}

impl Key {
    pub fn name(&self) -> Result<Vec<u8>> {
        name(&self.area)
    }
}

/// The TPM name of a public area with SHA-256.
pub fn name(area: &[u8]) -> Result<Vec<u8>> {
    Public::parse(area)?.name().ok_or_else(|| Error::bug("a key of the kit has no SHA-256 name"))
}

/// What a TPM signed, and the signature: TPMS_ATTEST and TPMT_SIGNATURE.
#[derive(Clone)]
pub struct Signed {
    pub attest: Vec<u8>,
    pub signature: Vec<u8>,
}

pub struct Machine {
    pub tpm: Swtpm,
    /// DER, from NV.
    pub ek_cert: Vec<u8>,
    /// TPMT_PUBLIC.
    pub ek_pub: Vec<u8>,
    /// The key that quotes.
    pub ak: Key,
}

impl Machine {
    /// Powers the machine up. Nothing is measured yet.
    pub fn start(factory: &Factory) -> Result<Self> {
        Self::with(Swtpm::start(factory)?)
    }

    /// The power goes without a word to the TPM, and comes back. Nothing is measured.
    pub fn power_cut(mut self) -> Result<Self> {
        self.tpm.power_cut()?;
        Self::with(self.tpm)
    }

    fn with(tpm: Swtpm) -> Result<Self> {
        tpm.run(&format!("tpm2_readpublic -c {EK} -o ek.pub"))?;
        tpm.run("tpm2_nvread -C o 0x1c00002 -o ek.cert")?;
        let (ek_cert, ek_pub) = (tpm.read("ek.cert")?, area(&tpm, "ek.pub")?);
        let ak = primary(&tpm, "e", ECDSA, RESTRICTED)?;
        Ok(Self { tpm, ek_cert, ek_pub, ak })
    }

    /// Extends what the events say, in both banks where they have both digests.
    pub fn measure(&self, events: &[Event]) -> Result<()> {
        let mut line = String::from("tpm2_pcrextend");
        for event in events.iter().filter(|event| event.extends()) {
            let digests: Vec<String> = [("sha1", SHA1), ("sha256", SHA256)]
                .into_iter()
                .filter_map(|(name, bank)| event.digest(bank).map(|digest| format!("{name}={}", hex(digest))))
                .collect();
            line.push_str(&format!(" {}:{}", event.pcr, digests.join(",")));
        }
        self.tpm.run_only(&line)
    }

    /// What the image records.
    pub fn record(&self, events: &[RuntimeEvent]) -> Result<()> {
        events.iter().try_for_each(|event| self.extend(event.pcr, &hex(&event.digest.0)))
    }

    pub fn extend(&self, pcr: u8, sha256: &str) -> Result<()> {
        self.tpm.run_only(&format!("tpm2_pcrextend {pcr}:sha256={sha256}"))
    }

    /// A primary key; `hierarchy` is `e` or `o`.
    pub fn key(&self, hierarchy: &str, algorithm: &str, attributes: &str) -> Result<Key> {
        primary(&self.tpm, hierarchy, algorithm, attributes)
    }

    /// A key below the EK, as tpm2-tools make attestation keys.
    pub fn child(&self) -> Result<Key> {
        self.tpm.run(&format!("tpm2_createak -C {EK} -c child.ctx -G ecc -g sha256 -s ecdsa -u child.pub"))?;
        Ok(Key { context: "child.ctx".into(), area: area(&self.tpm, "child.pub")? })
    }

    pub fn quote(&self, key: &Key, registers: &str, extra_data: &[u8], hash: &str) -> Result<Signed> {
        let (context, data) = (&key.context, hex(extra_data));
        let data = if data.is_empty() { String::new() } else { format!("-q {data}") };
        self.tpm.run(&format!("tpm2_quote -c {context} -l {registers} {data} -g {hash} -m attest -s signature"))?;
        self.signed()
    }

    /// TPM2_GetTime: a structure that the TPM made and signed, and no quote.
    pub fn time(&self, key: &Key, extra_data: &[u8]) -> Result<Signed> {
        let (context, data) = (&key.context, hex(extra_data));
        self.tpm.run(&format!("tpm2_gettime -c {context} -q {data} -g sha256 --attestation attest -o signature"))?;
        self.signed()
    }

    /// TPM2_CertifyCreation of a key that was just made.
    pub fn creation(&self, key: &Key, extra_data: &[u8]) -> Result<Signed> {
        let (context, data) = (&key.context, hex(extra_data));
        self.tpm.run_only("tpm2_createprimary -C e -G ecc -g sha256 -c new.ctx -d new.hash -t new.ticket")?;
        self.tpm.run(&format!(
            "tpm2_certifycreation -C {context} -c new.ctx -d new.hash -t new.ticket -g sha256 -q {data} \
             --attestation attest -o signature"
        ))?;
        self.signed()
    }

    /// TPM2_NV_Certify of an index that the adversary fills.
    pub fn nv(&self, key: &Key, extra_data: &[u8]) -> Result<Signed> {
        let (context, data) = (&key.context, hex(extra_data));
        self.tpm.run("tpm2_nvdefine -C o -s 32 0x1500001")?;
        self.tpm.write("nv", &[7; 32])?;
        self.tpm.run("tpm2_nvwrite -C o -i nv 0x1500001")?;
        self.tpm.run(&format!(
            "tpm2_nvcertify -C {context} -c o -g sha256 -q {data} --size 32 --attestation attest -o signature 0x1500001"
        ))?;
        self.signed()
    }

    /// TPM2_Certify of the key itself. The tool gives it no qualifying data.
    pub fn certify(&self, key: &Key) -> Result<Signed> {
        let context = &key.context;
        self.tpm.run(&format!("tpm2_certify -c {context} -C {context} -g sha256 -o attest -s signature"))?;
        self.signed()
    }

    /// TPM2_Sign: only an unrestricted key does it over bytes that begin with TPM_GENERATED_VALUE.
    pub fn sign(&self, key: &Key, bytes: &[u8]) -> Result<Signed> {
        self.tpm.write("attest", bytes)?;
        self.tpm.run(&format!("tpm2_sign -c {} -g sha256 -s ecdsa -o signature attest", key.context))?;
        self.signed()
    }

    fn signed(&self) -> Result<Signed> {
        Ok(Signed { attest: self.tpm.read("attest")?, signature: self.tpm.read("signature")? })
    }

    /// TPM2_ActivateCredential; none when the TPM refuses.
    pub fn activate(&self, key: &Key, m3: &[u8]) -> Result<Option<[u8; 32]>> {
        let request: ActivationRequest =
            serde_json::from_slice(m3).map_err(|e| Error::bug(format!("an M3 of the kit: {e}")))?;
        // the file form of tpm2-tools: magic, version, both structures
        let file = [&[0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1][..], &request.credential, &request.secret].concat();
        self.tpm.write("credential", &file)?;
        self.tpm.run_only("tpm2_startauthsession --policy-session -S session.ctx")?;
        self.tpm.run_only("tpm2_policysecret -S session.ctx -c e")?;
        let activated = self.tpm.run_only(&format!(
            "tpm2_activatecredential -c {} -C {EK} -i credential -o activated -P session:session.ctx",
            key.context
        ));
        self.tpm.run_only("tpm2_flushcontext session.ctx")?;
        self.tpm.run_only("tpm2_flushcontext -t")?;
        match activated {
            Ok(()) => Ok(self.tpm.read("activated")?.try_into().ok()),
            Err(_) => Ok(None),
        }
    }
}

fn primary(tpm: &Swtpm, hierarchy: &str, algorithm: &str, attributes: &str) -> Result<Key> {
    let id = hex(&vitrine_attest::Sha256::of(format!("{hierarchy} {algorithm} {attributes}").as_bytes()).0[..4]);
    let context = format!("{id}.ctx");
    tpm.run(&format!("tpm2_createprimary -C {hierarchy} -G {algorithm} -g sha256 -a {attributes} -c {context}"))?;
    tpm.run(&format!("tpm2_readpublic -c {context} -o {id}.pub"))?;
    Ok(Key { context, area: area(tpm, &format!("{id}.pub"))? })
}

/// TPMT_PUBLIC from a TPM2B_PUBLIC's file.
fn area(tpm: &Swtpm, file: &str) -> Result<Vec<u8>> {
    let bytes = tpm.read(file)?;
    let area = bytes.get(2..).unwrap_or_default();
    if sized(area) == bytes {
        return Ok(area.to_vec());
    }
    Err(Error::bug(format!("{file} is no TPM2B_PUBLIC")))
}
