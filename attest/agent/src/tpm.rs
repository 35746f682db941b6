//! The TPM: the two keys, PCR 15, quotes, credentials. One owner, one command at a time.

use crate::fault::{Failure, Fault};
use crate::keys::{attestation_template, Endorsement};
use crate::retry::patiently;
use std::str::FromStr as _;
use tss_esapi::constants::response_code::{Tss2ResponseCode, Tss2ResponseCodeKind as Kind};
use tss_esapi::constants::SessionType;
use tss_esapi::handles::{AuthHandle, KeyHandle, PcrHandle, SessionHandle, TpmHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::{Hierarchy, NvAuth};
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{
    Data, Digest, DigestValues, EncryptedSecret, IdObject, Nonce, PcrSelectionList, PcrSlot, Public, SignatureScheme,
    SymmetricDefinition,
};
use tss_esapi::tcti_ldr::TctiNameConf;
use tss_esapi::traits::Marshall as _;
use tss_esapi::utils::TpmsContext;
use tss_esapi::{Context, Error, WrapperErrorKind};
use vitrine_attest::boot::RuntimeEvent;
use vitrine_attest::pcr::Pcr;
use vitrine_attest::Sha256;
use zeroize::Zeroizing;

/// Bytes of an EK certificate we pass on. Real ones have 700 to 1,500; NV pads to at most 2,048.
const CERTIFICATE_LIMIT: usize = 4096;

/// Authorization with the empty password: both keys, and the endorsement hierarchy, have no other.
const NO_PASSWORD: Option<AuthSession> = Some(AuthSession::Password);

/// What identifies this TPM in the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// As in NV, maybe padded; empty when this TPM has none.
    pub ek_cert: Vec<u8>,
    /// TPMT_PUBLIC.
    pub ek_pub: Vec<u8>,
    /// TPMT_PUBLIC.
    pub ak_pub: Vec<u8>,
    /// `000B ‖ SHA-256(ak_pub)`.
    pub ak_name: Vec<u8>,
}

/// One quote as the TPM made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// TPMS_ATTEST.
    pub attest: Vec<u8>,
    /// TPMT_SIGNATURE.
    pub signature: Vec<u8>,
}

/// Somebody who can quote. In the image that is [`Tpm`].
pub trait Quoter: Send + 'static {
    /// Signs [`Pcr::QUOTED`] with this extraData.
    fn quote(&mut self, extra_data: &Sha256) -> Result<Quote, Fault>;
    /// Opens a credential: TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET give the 32 bytes inside.
    fn activate(&mut self, credential: &[u8], secret: &[u8]) -> Result<Zeroizing<[u8; 32]>, Fault>;
}

/// The opened TPM. The AK stays loaded; the EK waits as a saved context outside, because the kernel's resource
/// manager swaps every loaded object at every command.
pub struct Tpm {
    context: Context,
    ak: KeyHandle,
    ek: TpmsContext,
}

impl Tpm {
    /// Connects, takes the EK certificate from NV and makes both keys.
    ///
    /// `tcti` is `device:/dev/tpmrm0` in the image, `swtpm:host=…,port=…` in tests.
    pub fn open(tcti: &str) -> Result<(Self, Identity), Failure> {
        let tcti = TctiNameConf::from_str(tcti).map_err(|_| Failure::TpmOpen)?;
        let mut context = Context::new(tcti).map_err(|_| Failure::TpmOpen)?;
        let (kind, ek_cert) = find_certificate(&mut context);
        let (ek, ek_pub) = make_ek(&mut context, kind).map_err(|_| Failure::EndorsementKey)?;
        let (ak, ak_pub, ak_name) = make_ak(&mut context).map_err(|_| Failure::AttestationKey)?;
        Ok((Self { context, ak, ek }, Identity { ek_cert, ek_pub, ak_pub, ak_name }))
    }

    /// Extends PCR 15 by these events, once per boot. It has to be zero before, and `expected` afterwards: nobody
    /// else was here, and nothing got lost.
    pub fn measure(&mut self, events: &[RuntimeEvent], expected: Sha256) -> Result<(), Failure> {
        if self.runtime_pcr()? != Sha256::ZERO {
            return Err(Failure::PcrNotZero);
        }
        for event in events {
            self.extend_runtime_pcr(event.digest).map_err(|_| Failure::PcrExtend)?;
        }
        (self.runtime_pcr()? == expected).then_some(()).ok_or(Failure::PcrExtend)
    }

    /// After a restart of this program: the same keys give the same record, so PCR 15 has to hold it already.
    pub fn require_measured(&mut self, expected: Sha256) -> Result<(), Failure> {
        (self.runtime_pcr()? == expected).then_some(()).ok_or(Failure::PcrDiffers)
    }

    /// PCR 15 of the SHA-256 bank, the only bank that is quoted.
    fn runtime_pcr(&mut self) -> Result<Sha256, Failure> {
        let mut read = || -> tss_esapi::Result<Sha256> {
            let selection = selection(&[Pcr::RUNTIME])?;
            let (_, _, digests) = patiently(|| self.context.pcr_read(selection.clone()))?;
            match digests.value() {
                [one] => one.value().try_into().map(Sha256).map_err(|_| from_tpm()),
                _ => Err(from_tpm()),
            }
        };
        read().map_err(|_| Failure::PcrRead)
    }

    fn extend_runtime_pcr(&mut self, digest: Sha256) -> tss_esapi::Result<()> {
        let mut values = DigestValues::new();
        values.set(HashingAlgorithm::Sha256, Digest::try_from(digest.0.as_slice())?);
        patiently(|| {
            self.context
                .execute_with_session(NO_PASSWORD, |context| context.pcr_extend(PcrHandle::Pcr15, values.clone()))
        })
    }

    fn try_quote(&mut self, extra_data: &Sha256) -> tss_esapi::Result<Quote> {
        let selection = selection(&Pcr::QUOTED)?;
        let extra_data = Data::try_from(extra_data.0.as_slice())?;
        let ak = self.ak;
        let (attest, signature) = patiently(|| {
            self.context.execute_with_session(NO_PASSWORD, |context| {
                context.quote(ak, extra_data.clone(), SignatureScheme::Null, selection.clone())
            })
        })?;
        // Both forms have one encoding each, so marshalling them again gives the very bytes the TPM signed.
        Ok(Quote { attest: attest.marshall()?, signature: signature.marshall()? })
    }

    /// TPM2_ActivateCredential needs the EK under its policy, which is PolicySecret with the endorsement
    /// hierarchy (EK Credential Profile 2.5, §B.6.2, Policy A).
    fn try_activate(&mut self, blob: &IdObject, secret: &EncryptedSecret) -> Result<Digest, Fault> {
        let ek = patiently(|| self.context.context_load(self.ek.clone())).map_err(|_| Fault::Tpm)?;
        let opened = match endorsement_policy(&mut self.context) {
            Ok(policy) => {
                let (ak, sessions) = (self.ak, (NO_PASSWORD, Some(policy.into()), None));
                let opened = patiently(|| {
                    self.context.execute_with_sessions(sessions, |context| {
                        context.activate_credential(ak, KeyHandle::from(ek), blob.clone(), secret.clone())
                    })
                });
                let flushed = flush_session(&mut self.context, policy);
                opened.map_err(blame).and_then(|digest| flushed.map(|()| digest).map_err(|_| Fault::Tpm))
            }
            Err(_) => Err(Fault::Tpm),
        };
        patiently(|| self.context.flush_context(ek)).map_err(|_| Fault::Tpm)?;
        opened
    }
}

impl Quoter for Tpm {
    fn quote(&mut self, extra_data: &Sha256) -> Result<Quote, Fault> {
        self.try_quote(extra_data).map_err(|_| Fault::Tpm)
    }

    fn activate(&mut self, credential: &[u8], secret: &[u8]) -> Result<Zeroizing<[u8; 32]>, Fault> {
        let blob = unwrap_2b(credential).and_then(|b| IdObject::try_from(b.to_vec()).ok()).ok_or(Fault::Request)?;
        let secret =
            unwrap_2b(secret).and_then(|b| EncryptedSecret::try_from(b.to_vec()).ok()).ok_or(Fault::Request)?;
        let opened = self.try_activate(&blob, &secret)?;
        opened.value().try_into().map(Zeroizing::new).map_err(|_| Fault::Request)
    }
}

/// The first certificate of [`Endorsement::PREFERENCE`]. One that is there and cannot be read is as good as
/// none: the evidence then reaches a lower level, and says so.
fn find_certificate(context: &mut Context) -> (Endorsement, Vec<u8>) {
    for kind in Endorsement::PREFERENCE {
        match read_certificate(context, kind) {
            Ok(certificate) if (1..=CERTIFICATE_LIMIT).contains(&certificate.len()) => return (kind, certificate),
            Ok(_) | Err(_) => {}
        }
    }
    (Endorsement::FALLBACK, Vec::new())
}

fn read_certificate(context: &mut Context, kind: Endorsement) -> tss_esapi::Result<Vec<u8>> {
    let index = kind.certificate_index()?;
    let object = patiently(|| context.tr_from_tpm_public(TpmHandle::NvIndex(index)))?;
    let auth = NvAuth::NvIndex(object.into());
    patiently(|| {
        context.execute_with_session(NO_PASSWORD, |context| tss_esapi::abstraction::nv::read_full(context, auth, index))
    })
}

fn make_primary(context: &mut Context, template: &Public) -> tss_esapi::Result<(KeyHandle, Public)> {
    let made = patiently(|| {
        context.execute_with_session(NO_PASSWORD, |context| {
            context.create_primary(Hierarchy::Endorsement, template.clone(), None, None, None, None)
        })
    })?;
    Ok((made.key_handle, made.out_public))
}

fn make_ek(context: &mut Context, kind: Endorsement) -> tss_esapi::Result<(TpmsContext, Vec<u8>)> {
    let (handle, public) = make_primary(context, &kind.template()?)?;
    let saved = patiently(|| context.context_save(handle.into()))?;
    patiently(|| context.flush_context(handle.into()))?;
    Ok((saved, public.marshall()?))
}

fn make_ak(context: &mut Context) -> tss_esapi::Result<(KeyHandle, Vec<u8>, Vec<u8>)> {
    let (handle, public) = make_primary(context, &attestation_template()?)?;
    let public = public.marshall()?;
    let (_, name, _) = patiently(|| context.read_public(handle))?;
    // Names are nameAlg ‖ digest of the public area (TPM 2.0 Part 1, §16): ours must be of these very bytes.
    let computed = [&[0x00, 0x0b], Sha256::of(&public).0.as_slice()].concat();
    if computed != name.value() {
        return Err(from_tpm());
    }
    Ok((handle, public, computed))
}

fn endorsement_policy(context: &mut Context) -> tss_esapi::Result<PolicySession> {
    let session = patiently(|| {
        let aes = SymmetricDefinition::AES_128_CFB;
        context.start_auth_session(None, None, None, SessionType::Policy, aes, HashingAlgorithm::Sha256)
    })?;
    let session = PolicySession::try_from(session.ok_or_else(from_tpm)?)?;
    let satisfied = patiently(|| {
        context.execute_with_session(NO_PASSWORD, |context| {
            let (nonce, cp_hash, policy_ref) = (Nonce::default(), Digest::default(), Nonce::default());
            context.policy_secret(session, AuthHandle::Endorsement, nonce, cp_hash, policy_ref, None)
        })
    });
    match satisfied {
        Ok(_) => Ok(session),
        Err(error) => {
            flush_session(context, session)?;
            Err(error)
        }
    }
}

fn flush_session(context: &mut Context, session: PolicySession) -> tss_esapi::Result<()> {
    patiently(|| context.flush_context(SessionHandle::from(session).into()))
}

/// Exactly these registers of the SHA-256 bank, three bytes of bitmap (check V14).
fn selection(pcrs: &[Pcr]) -> tss_esapi::Result<PcrSelectionList> {
    let slots: Vec<PcrSlot> =
        pcrs.iter().map(|pcr| PcrSlot::try_from(1_u32 << pcr.index())).collect::<tss_esapi::Result<_>>()?;
    PcrSelectionList::builder().with_selection(HashingAlgorithm::Sha256, &slots).build()
}

/// A TPM2B: 16-bit big-endian size, then exactly that many bytes.
fn unwrap_2b(bytes: &[u8]) -> Option<&[u8]> {
    let (size, content) = bytes.split_first_chunk::<2>()?;
    (usize::from(u16::from_be_bytes(*size)) == content.len()).then_some(content)
}

/// Whose fault a failed ActivateCredential is. A stranger's blob must not count as a defect of the TPM, or three
/// bad ones would end the service. Handle, session and authorization errors are ours; about its parameters a TPM
/// complains with format-one codes (TPM 2.0 Part 2, §6.6.2), or with NO_RESULT for a point that is none. libtpms
/// answers FAILURE to a secret that was encrypted to another RSA key, and works on; a TPM that has really failed
/// answers the next quote with it, too.
fn blame(error: Error) -> Fault {
    let Error::Tss2Error(code) = error else { return Fault::Request };
    let ours = matches!(
        code.kind(),
        None | Some(
            Kind::AuthFail
                | Kind::BadAuth
                | Kind::PolicyFail
                | Kind::PolicyCc
                | Kind::Expired
                | Kind::Handle
                | Kind::Nonce
                | Kind::Attributes
        )
    );
    match code {
        Tss2ResponseCode::FormatOne(_) if !ours => Fault::Request,
        Tss2ResponseCode::FormatZero(_) if matches!(code.kind(), Some(Kind::NoResult | Kind::Failure)) => {
            Fault::Request
        }
        _ => Fault::Tpm,
    }
}

fn from_tpm() -> Error {
    Error::WrapperError(WrapperErrorKind::WrongValueFromTpm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_is_the_quoted_bitmap() {
        let list = selection(&Pcr::QUOTED).unwrap();
        assert_eq!(list.len(), 1);
        let raw = tss_esapi::tss2_esys::TPML_PCR_SELECTION::from(list);
        assert_eq!((raw.count, raw.pcrSelections[0].hash, raw.pcrSelections[0].sizeofSelect), (1, 0x000b, 3));
        assert_eq!(raw.pcrSelections[0].pcrSelect[..3], Pcr::quoted_bitmap());
    }

    #[test]
    fn sized_buffers_are_exact() {
        assert_eq!(unwrap_2b(&[0, 2, 7, 8]), Some([7, 8].as_slice()));
        assert_eq!(unwrap_2b(&[0, 0]), Some([].as_slice()));
        for bad in [&[][..], &[0], &[0, 2, 7], &[0, 1, 7, 8], &[0xff, 0xff, 1]] {
            assert_eq!(unwrap_2b(bad), None, "{bad:?} was taken");
        }
    }

    #[test]
    fn a_strangers_blob_is_not_the_tpms_fault() {
        let fault = |code: u32| blame(Error::Tss2Error(Tss2ResponseCode::from(code)));
        // TPM_RC_INTEGRITY + parameter 1, TPM_RC_SIZE + parameter 2, TPM_RC_ECC_POINT + parameter 2, TPM_RC_NO_RESULT,
        // TPM_RC_FAILURE
        for code in [0x1df, 0x2d5, 0x2e7, 0x154, 0x101] {
            assert_eq!(fault(code), Fault::Request, "{code:#x}");
        }
        // TPM_RC_LOCKOUT, TPM_RC_POLICY_FAIL + session 2, TPM_RC_HANDLE + handle 1, TCTI I/O error
        for code in [0x921, 0xa9d, 0x18b, 0xa000a] {
            assert_eq!(fault(code), Fault::Tpm, "{code:#x}");
        }
    }
}
