//! A witness's second key: ML-DSA-44, which a quantum computer does not forge; with the feature `ml-dsa`.
//!
//! It stands beside the Ed25519 key, never in its place: programs without the feature know only that one. Both sign each
//! checkpoint, or none does. A program without the feature refuses the folder of such a witness: it would answer with
//! half of what its logs count on.

use std::path::Path;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::Result;
use zeroize::Zeroizing;

pub const KEY: &str = "witness-ml-dsa.key";
pub const PUBLIC: &str = "witness-ml-dsa.pub";

/// The key, with its secret half.
#[cfg(feature = "ml-dsa")]
pub struct Second {
    key: NoteKey,
    secret: vitrine_attest::ml_dsa::SecretKey,
}

/// There is none.
#[cfg(not(feature = "ml-dsa"))]
pub enum Second {}

#[cfg(not(feature = "ml-dsa"))]
impl Second {
    /// # Errors
    /// Always.
    pub fn read(folder: &Path, _: NoteKey) -> Result<Self> {
        Err(unknown(folder))
    }

    pub fn key(&self) -> &NoteKey {
        match *self {}
    }

    /// # Errors
    /// There is no value of this type.
    pub fn to_pem(&self) -> Result<Zeroizing<String>> {
        match *self {}
    }

    /// # Errors
    /// There is no value of this type.
    pub fn sign(&self, _: &str, _: u64) -> Result<String> {
        match *self {}
    }
}

/// # Errors
/// Always.
#[cfg(not(feature = "ml-dsa"))]
pub fn key(folder: &Path) -> Result<NoteKey> {
    Err(unknown(folder))
}

#[cfg(not(feature = "ml-dsa"))]
fn unknown(folder: &Path) -> vitrine_attest::Error {
    vitrine_attest::Error::input(
        format!("{}: this witness signs with ML-DSA-44, too", folder.display()),
        "use a program with the feature `ml-dsa`",
    )
}

#[cfg(feature = "ml-dsa")]
pub use with::key;

#[cfg(feature = "ml-dsa")]
mod with {
    use super::{Path, Result, Second, Zeroizing, KEY, PUBLIC};
    use crate::files;
    use vitrine_attest::ml_dsa::SecretKey;
    use vitrine_attest::note::cosign_ml_dsa;
    use vitrine_attest::vkey::{Kind, NoteKey, TEXT_LIMIT};
    use vitrine_attest::Error;

    const HINT: &str = "restore the files that `witness init` has made";

    impl Second {
        /// A new one.
        ///
        /// # Errors
        /// When this cannot be the name of a key, or the system gives no random numbers.
        pub fn new(name: &str) -> Result<Self> {
            let secret = SecretKey::from_seed(Zeroizing::new(crate::server::random()?));
            Ok(Self { key: NoteKey::of_kind(Kind::MlDsa44, name, secret.public())?, secret })
        }

        /// # Errors
        /// When the folder's file is not the secret half of this key, or others can read it.
        pub fn read(folder: &Path, key: NoteKey) -> Result<Self> {
            let path = folder.join(KEY);
            let secret = SecretKey::from_pem(&files::read_secret(&path, TEXT_LIMIT)?, path.display(), HINT)?;
            if *key.key() != secret.public().into() {
                return Err(Error::input(
                    format!("{KEY} and {PUBLIC} in {} do not belong together", folder.display()),
                    HINT,
                ));
            }
            Ok(Self { key, secret })
        }

        pub fn key(&self) -> &NoteKey {
            &self.key
        }

        /// # Errors
        /// Never.
        pub fn to_pem(&self) -> Result<Zeroizing<String>> {
            self.secret.to_pem()
        }

        /// The line under a checkpoint's text.
        ///
        /// # Errors
        /// When the text is no checkpoint, or the system gives no random numbers.
        pub fn sign(&self, text: &str, time: u64) -> Result<String> {
            let hedge = Zeroizing::new(crate::server::random()?);
            cosign_ml_dsa(text, self.key.name(), &self.secret, time, &hedge)
        }
    }

    /// The public half.
    ///
    /// # Errors
    /// When the folder's file holds no such key.
    pub fn key(folder: &Path) -> Result<NoteKey> {
        let path = folder.join(PUBLIC);
        let bytes = files::read(&path, TEXT_LIMIT).map_err(|e| Error::input(e.what, HINT))?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default(); // what is not text is no key either
        NoteKey::of_log(text.strip_suffix('\n').unwrap_or(text))
            .ok()
            .filter(|key| key.kind() == Kind::MlDsa44)
            .ok_or_else(|| Error::input(format!("{} is no key of ML-DSA-44", path.display()), HINT))
    }
}
