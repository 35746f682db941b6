//! What can go wrong, as fixed words: no message of this program holds data of a user.

/// Why a request to the TPM gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The TPM is occupied until after the deadline.
    Busy,
    /// The TPM failed. Three in a row and the service is withdrawn.
    Tpm,
    /// The TPM works, and refused what the client sent.
    Request,
}

/// Why the service does not start. [`Failure::code`] goes to init, which then brings up no tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Init's words were not those of the protocol, or it is gone.
    Channel,
    /// No TPM, or it does not answer.
    TpmOpen,
    /// The endorsement key could not be made.
    EndorsementKey,
    /// The attestation key could not be made, or is not the one its name says.
    AttestationKey,
    /// PCR 15 could not be read: most likely the SHA-256 bank is off.
    PcrRead,
    /// PCR 15 was extended before this program ran.
    PcrNotZero,
    /// Init says that PCR 15 is measured already, and it holds something else.
    PcrDiffers,
    /// PCR 15 could not be extended, or holds something else than it should afterwards.
    PcrExtend,
    /// Nobody could listen on the port.
    Bind,
    /// The operating system gave no thread.
    Threads,
    /// The kernel refused a layer of the sandbox.
    Sandbox,
    /// A value had no canonical form: our bug.
    Form,
}

impl Failure {
    pub fn code(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::TpmOpen => "tpm-open",
            Self::EndorsementKey => "tpm-ek",
            Self::AttestationKey => "tpm-ak",
            Self::PcrRead => "pcr15-read",
            Self::PcrNotZero => "pcr15-not-zero",
            Self::PcrDiffers => "pcr15-differs",
            Self::PcrExtend => "pcr15-extend",
            Self::Bind => "bind",
            Self::Threads => "threads",
            Self::Sandbox => "sandbox",
            Self::Form => "form",
        }
    }
}
