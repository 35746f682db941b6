//! The endorsement key, its certificate, and the attestation key.

use super::{done, Files, Group};
use crate::certificate::Maker;
use crate::machine::{Key, Machine, Signed, ECDSA, QUOTED, RESTRICTED, UNRESTRICTED};
use crate::session::Opener;
use crate::stage::run;
use crate::{host, sized, Stage};
use rcgen::{date_time_ymd, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose};
use rsa::signature::{SignatureEncoding as _, Signer as _};
use rsa::traits::PublicKeyParts as _;
use std::rc::Rc;
use vitrine_attest::Result;

pub const ALL: Group = &[
    ("ek-certificate-absent", |stage| done(stage.sent(|e| e.ek_cert.clear()))),
    ("ek-certificate-cut-off", |stage| done(stage.sent(|e| e.ek_cert.truncate(400)))),
    ("ek-certificate-followed-by-text", |stage| done(stage.sent(|e| e.ek_cert.extend(b"hello")))),
    ("ek-certificate-altered", |stage| {
        done(stage.sent(|e| {
            let last = e.ek_cert.len() - 1;
            e.ek_cert[last] ^= 1;
        }))
    }),
    ("ek-certificate-of-an-unknown-maker", |stage| certificate(stage, &Maker::new("a stranger")?, |_| {})),
    ("ek-certificate-of-a-namesake", |stage| certificate(stage, &Maker::new(crate::stage::MAKER)?, |_| {})),
    ("ek-certificate-expired", |stage| {
        certificate(stage, &stage.maker, |params| {
            (params.not_before, params.not_after) = (date_time_ymd(2015, 1, 1), date_time_ymd(2020, 1, 1));
        })
    }),
    ("ek-certificate-not-yet-valid", |stage| {
        certificate(stage, &stage.maker, |params| params.not_before = date_time_ymd(3000, 1, 1))
    }),
    ("ek-certificate-without-usage", |stage| {
        certificate(stage, &stage.maker, |params| params.extended_key_usages.clear())
    }),
    ("ek-certificate-for-a-web-server", |stage| {
        certificate(stage, &stage.maker, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        })
    }),
    ("ek-certificate-with-an-unknown-critical-extension", |stage| {
        certificate(stage, &stage.maker, |params| {
            // 2.999 is the arc for examples (ITU-T X.660, A.7); a NULL inside
            let mut extension = CustomExtension::from_oid_content(&[2, 999, 1], vec![5, 0]);
            extension.set_criticality(true);
            params.custom_extensions.push(extension);
        })
    }),
    ("ek-certificate-is-the-makers-own", |stage| done(stage.sent(|e| e.ek_cert.clone_from(&stage.maker.der)))),
    ("ek-certificate-of-another-tpm", |stage| {
        let other = Machine::start(&stage.other)?.ek_pub;
        let certificate = stage.maker.certify(&other, |_| {})?;
        done(stage.sent(|e| e.ek_cert = certificate))
    }),
    ("ek-may-sign", |stage| done(stage.sent(|e| e.ek_pub[5] |= 0x04))),
    ("ek-unrestricted", |stage| done(stage.sent(|e| e.ek_pub[5] &= !0x01))),
    ("ek-policy-another", |stage| done(stage.sent(|e| e.ek_pub[12] ^= 1))),
    ("quote-of-tpm-b-with-certificate-of-tpm-a", tpm_b_behind_tpm_a),
    ("ak-unrestricted-signs-a-forged-quote", |stage| {
        done(stage.with_key(|m| m.key("e", ECDSA, UNRESTRICTED), |m, key, honest| m.sign(key, &honest.bytes())))
    }),
    ("ak-imported", |stage| forged_attributes(stage, |bits| bits & !0x20)),
    ("ak-may-leave-the-tpm", |stage| forged_attributes(stage, |bits| bits & !0x02)),
    ("ak-may-change-its-parent", |stage| forged_attributes(stage, |bits| bits & !0x10)),
    ("ak-may-decrypt", |stage| forged_attributes(stage, |bits| bits | 0x2_0000)),
    ("ak-named-with-sha1", |stage| {
        let mut area = stage.forger.area.clone();
        area[3] = 4;
        done(stage.forged_with(&area, |attest| stage.forger.sign(&attest.bytes())))
    }),
    ("ak-on-p384", |stage| real(stage, "e", "ecc384:ecdsa-sha256:null", "sha256")),
    ("ak-of-rsa-1024", rsa_1024),
    ("ak-of-rsa-pss", |stage| real(stage, "e", "rsa2048:rsapss-sha256:null", "sha256 --scheme rsapss")),
    ("ak-signs-with-sha1", |stage| real(stage, "e", "ecc256:ecdsa-sha1:null", "sha1")),
    ("ak-signs-with-sha384", |stage| real(stage, "e", "ecc256:ecdsa-sha384:null", "sha384")),
    ("ak-of-the-owner-hierarchy", |stage| real(stage, "o", ECDSA, "sha256")),
    ("ak-below-the-ek", |stage| done(stage.with_key(Machine::child, quote("sha256")))),
    ("ak-of-somebody-else", |stage| done(stage.sent(|e| e.ak_pub.clone_from(&stage.forger.area)))),
];

fn quote(hash: &'static str) -> impl FnOnce(&Machine, &Key, &crate::forge::Attest) -> Result<Signed> {
    move |machine, key, honest| machine.quote(key, QUOTED, &honest.extra_data, hash)
}

/// A restricted key of the TPM, of another kind than the agent's.
fn real(stage: &Stage, hierarchy: &str, algorithm: &str, hash: &'static str) -> Result<Files> {
    done(stage.with_key(|m| m.key(hierarchy, algorithm, RESTRICTED), quote(hash)))
}

fn certificate(stage: &Stage, maker: &Maker, change: impl FnOnce(&mut CertificateParams)) -> Result<Files> {
    let certificate = maker.certify(&stage.machine.ek_pub, change)?;
    done(stage.sent(|e| e.ek_cert = certificate))
}

/// A key of our own with other attributes; everything else agrees with them.
fn forged_attributes(stage: &Stage, change: impl FnOnce(u32) -> u32) -> Result<Files> {
    let mut area = stage.forger.area.clone();
    let bits = u32::from_be_bytes([area[4], area[5], area[6], area[7]]);
    area[4..8].copy_from_slice(&change(bits).to_be_bytes());
    done(stage.forged_with(&area, |attest| stage.forger.sign(&attest.bytes())))
}

/// The relay owns a certified TPM (A); the quote is made by another one (B), which booted as published.
fn tpm_b_behind_tpm_a(stage: &Stage) -> Result<Files> {
    let b = Machine::start(&stage.other)?;
    let mut boot = stage.boot.clone();
    boot.record.ak_name = b.ak.name()?;
    let b = run(b, &boot)?;
    let mut draft = stage.session(&b, &boot)?;
    draft.evidence.ek_cert.clone_from(&stage.machine.ek_cert);
    draft.evidence.ek_pub.clone_from(&stage.machine.ek_pub);
    draft.opener = Opener::Tpm(Rc::clone(&stage.machine), stage.machine.ak.clone());
    done(Ok(draft))
}

/// A key that somebody with a large computer may have broken.
fn rsa_1024(stage: &Stage) -> Result<Files> {
    let key = rsa::RsaPrivateKey::new(&mut rand_core::OsRng, 1024).map_err(host)?;
    let head = [&[0, 1, 0, 0x0b][..], &stage.forger.area[4..8], &[0, 0, 0, 0x10, 0, 0x14, 0, 0x0b, 4, 0, 0, 0, 0, 0]];
    let area = [head.concat(), sized(&key.n().to_bytes_be())].concat();
    let signing = rsa::pkcs1v15::SigningKey::<rsa::sha2::Sha256>::new(key);
    done(stage.forged_with(&area, |attest| {
        let attest = attest.bytes();
        let signature = sized(&signing.sign(&attest).to_bytes());
        Ok(Signed { attest, signature: [&[0, 0x14, 0, 0x0b][..], &signature].concat() })
    }))
}
