//! What the owner has ordered this server to hand out beside its evidence: kept in RAM as it came, and never read here.
//!
//! Nothing of it goes into a quote or into evidence. Whoever brings the bytes is not asked who that is: the owner's order says
//! which they have to be. So nobody else can leave anything here, and nothing of users can be.

use crate::init::lock;
use std::sync::{Arc, Mutex};
use vitrine_attest::Sha256;

/// Bounded by what a request may have, [`vitrine_attest::attachments::ATTACHMENTS_LIMIT`].
#[derive(Debug, Default)]
pub struct Attachments(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    ordered: Option<Sha256>,
    /// With the digest `ordered`, once they have come.
    bytes: Option<Arc<[u8]>>,
}

impl Attachments {
    pub fn ordered(digest: Option<Sha256>) -> Self {
        Self(Mutex::new(Kept { ordered: digest, bytes: None }))
    }

    /// From now on these and no others; the same again changes nothing.
    pub fn order(&self, digest: Option<Sha256>) {
        let mut kept = lock(&self.0);
        if kept.ordered != digest {
            *kept = Kept { ordered: digest, bytes: None };
        }
    }

    /// Takes them, if they are those that were ordered; gives their digest then.
    pub fn bring(&self, bytes: &[u8]) -> Option<Sha256> {
        let digest = Sha256::of(bytes);
        let mut kept = lock(&self.0);
        if kept.ordered != Some(digest) {
            return None;
        }
        kept.bytes.get_or_insert_with(|| bytes.into());
        Some(digest)
    }

    /// None while there are none.
    pub fn get(&self) -> Option<Arc<[u8]>> {
        lock(&self.0).bytes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn got(attachments: &Attachments) -> Option<Vec<u8>> {
        attachments.get().map(|bytes| bytes.to_vec())
    }

    #[test]
    fn only_what_was_ordered_and_replaced_whole() {
        let (one, two) = (Sha256::of(b"one"), Sha256::of(b"two"));
        let attachments = Attachments::default();
        assert_eq!((attachments.bring(b"one"), attachments.bring(b""), got(&attachments)), (None, None, None));
        attachments.order(Some(one));
        assert_eq!((attachments.bring(b"two"), got(&attachments)), (None, None));
        assert_eq!((attachments.bring(b"one"), got(&attachments)), (Some(one), Some(b"one".to_vec())));
        assert_eq!(attachments.bring(b"one"), Some(one), "twice");
        attachments.order(Some(one));
        assert_eq!(got(&attachments), Some(b"one".to_vec()), "the same order again");
        attachments.order(Some(two));
        assert_eq!((got(&attachments), attachments.bring(b"one")), (None, None), "the former ones are gone");
        assert_eq!(attachments.bring(b"two"), Some(two));
        attachments.order(None);
        assert_eq!((got(&attachments), attachments.bring(b"two")), (None, None));
    }

    /// An agent that is started again knows the order, and has nothing.
    #[test]
    fn they_have_to_be_brought_again() {
        let attachments = Attachments::ordered(Some(Sha256::of(b"one")));
        assert_eq!(got(&attachments), None);
        assert!(attachments.bring(b"one").is_some());
    }
}
