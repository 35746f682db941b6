//! The binary holds no words that only a log could want.
//!
//! tss-esapi and its dependencies log through the `log` crate; its feature `max_level_off` has to compile that
//! to nothing. Also runs on the image's binary: `cargo test --profile image -p vitrine-agent`.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)] // what the shipped program must not, a test may

#[test]
fn no_log_formats() {
    let binary = std::fs::read(env!("CARGO_BIN_EXE_vitrine-agent")).unwrap();
    // everything that is no text becomes a replacement character: the search for text stays as it is
    let binary = String::from_utf8_lossy(&binary);
    // the twin: words that are there show that the search finds something
    assert!(binary.contains("pcr15-not-zero"));
    for words in [
        "Error in quoting PCR",
        "Error in creating primary key",
        "Error when activating credential",
        "Error when creating a TCTI context",
        "Error when extending PCR",
        "Closing context.",
        "Flushing handle",
        "Not all handles have had their resources successfully released",
        "Failed to obtain valid maximum NV buffer size",
    ] {
        assert!(!binary.contains(words), "the binary holds {words:?}");
    }
}
