//! Patience with a TPM that says "not now".

use std::time::Duration;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind as Kind;
use tss_esapi::{Error, Result};

/// How often one command is sent. libtss2 itself already sends it up to five times without a pause.
const ATTEMPTS: u32 = 8;
/// Before the second attempt; doubled each time, so all pauses together last 1.27 s.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Runs a command again while the TPM answers TPM_RC_RETRY (0x922), TPM_RC_YIELDED (0x908) or TPM_RC_TESTING
/// (0x90A): warnings after which the same command is to be sent again (TPM 2.0 Part 2, §6.6.3).
///
/// # Errors
/// The command's last error.
pub fn patiently<T>(mut command: impl FnMut() -> Result<T>) -> Result<T> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match command() {
            Err(error) if wants_retry(error) => std::thread::sleep(pause),
            done => return done,
        }
        pause *= 2;
    }
    command()
}

fn wants_retry(error: Error) -> bool {
    match error {
        Error::Tss2Error(code) => matches!(code.kind(), Some(Kind::Retry | Kind::Yielded | Kind::Testing)),
        Error::WrapperError(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tss_esapi::constants::response_code::Tss2ResponseCode;

    fn attempts_until(code: u32, good_after: u32) -> (u32, bool) {
        let mut sent = 0;
        let done = patiently(|| {
            sent += 1;
            if sent > good_after {
                Ok(())
            } else {
                Err(Error::Tss2Error(Tss2ResponseCode::from(code)))
            }
        });
        (sent, done.is_ok())
    }

    #[test]
    fn warnings_are_retried_up_to_the_limit() {
        for code in [0x922, 0x908, 0x90a] {
            assert_eq!(attempts_until(code, 2), (3, true), "{code:#x}");
        }
        assert_eq!(attempts_until(0x922, u32::MAX), (ATTEMPTS, false));
    }

    #[test]
    fn errors_are_not() {
        // TPM_RC_FAILURE, TPM_RC_LOCKOUT, TCTI I/O error
        for code in [0x101, 0x921, 0xa000a] {
            assert_eq!(attempts_until(code, u32::MAX), (1, false), "{code:#x}");
        }
    }
}
