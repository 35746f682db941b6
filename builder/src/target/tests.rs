//! Boot files that are not ours, and files that are none.

use super::*;
use crate::uki::tests::sample;
use vitrine_initramfs::{screen_subject, Context, Policy};

fn exit_code(target: &Target) -> u8 {
    let context = Context {
        cmdline: target.cmdline.clone(),
        kernel: target.kernel.as_deref(),
        unjudged: target.unjudged.clone(),
        ..Context::default()
    };
    screen_subject(target.subject.as_ref(), &context, &Policy::standard(), &[]).report.exit_code()
}

#[test]
fn sections_of_an_image_are_found() {
    let target = from_bytes(&sample()).unwrap();
    assert_eq!(target.cmdline.as_deref(), Some("quiet"));
    assert!(target.kernel.is_some() && target.authenticode == Some(authenticode(&sample()).unwrap()));
    // its initramfs is six bytes of a header, its kernel is none: neither passes in silence
    assert_eq!(target.unjudged.len(), 1);
    assert_eq!(exit_code(&target), 2);
}

#[test]
fn a_cut_image_is_never_let_through() {
    let image = sample();
    for length in (0..image.len()).step_by(37) {
        match from_bytes(&image[..length]) {
            Ok(target) => assert_eq!(exit_code(&target), 2, "cut at {length}"),
            Err(error) => assert_eq!(error.exit_code(), 2, "cut at {length}: {error}"),
        }
    }
}

#[test]
fn other_files_are_refused_with_what_to_give() {
    for bytes in [b"".as_slice(), b"MZ", b"hello", b"\x7fELF", &[0; 600]] {
        let error = from_bytes(bytes).err().unwrap();
        assert!(error.exit_code() == 2 && error.hint.contains("a folder"), "{error}");
    }
}
