//! Event data as words for people. All of it is a stranger's text: bounded, and without control characters.

use super::{Algorithm, Event, EventKind};
use crate::cursor::Cursor;
use crate::digest::hex;
use serde::{Deserialize, Serialize};

/// Characters of one text that are shown.
const TEXT_LIMIT: usize = 512;

/// An event as it is shown in reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventView {
    /// Byte in the log where the event begins.
    pub offset: usize,
    pub pcr: u32,
    /// `EV_EFI_ACTION`.
    pub kind: String,
    /// SHA-256 digest as hex; empty when the event has none.
    pub digest: String,
    /// What the data says; may be empty.
    pub text: String,
    /// The data could be checked against the digest: `true` it fits, `false` it was altered. `None`: this kind of
    /// event does not hash its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_fits: Option<bool>,
}

impl From<&Event<'_>> for EventView {
    fn from(event: &Event<'_>) -> Self {
        Self {
            offset: event.offset,
            pcr: event.pcr,
            kind: event.kind.to_string(),
            digest: event.digest(Algorithm::SHA256).map(hex).unwrap_or_default(),
            text: event.text(),
            data_fits: event.data_fits(),
        }
    }
}

impl Event<'_> {
    /// What the data says, by the event's kind.
    pub fn text(&self) -> String {
        let text = match self.kind {
            kind if kind.is_variable() => self.variable().map(|(name, _)| name),
            EventKind::SEPARATOR if self.data == [0; 4] => Some("separator".into()),
            EventKind::EVENT_TAG => tagged(self.data).map(plain),
            EventKind::IPL | EventKind::EFI_ACTION | EventKind::NO_ACTION => Some(plain(self.data)),
            _ => None,
        };
        printable(&text.unwrap_or_default())
    }

    /// Name and data of the variable in a UEFI_VARIABLE_DATA (§10.2.6); `None` when the form is broken.
    pub fn variable(&self) -> Option<(String, &[u8])> {
        let mut cursor = Cursor::new(self.data);
        cursor.take(16).ok()?;
        let name_length = usize::try_from(cursor.u64().ok()?).ok()?;
        let data_length = usize::try_from(cursor.u64().ok()?).ok()?;
        let name = cursor.take(name_length.checked_mul(2)?).ok()?;
        let data = cursor.take(data_length).ok()?;
        cursor.is_empty().then(|| (utf16(name), data))
    }

    /// Whether the data hashes to the SHA-256 digest, for the kinds where that is the rule.
    pub fn data_fits(&self) -> Option<bool> {
        let digest = self.digest(Algorithm::SHA256)?;
        self.kind.hashes_its_data().then(|| Algorithm::SHA256.hash(&[self.data]).as_deref() == Some(digest))
    }
}

/// TCG_PCClientTaggedEvent (§10.4.2.1): `id[4] size[4] data`.
fn tagged(data: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(data);
    cursor.u32().ok()?;
    let size = cursor.len32().ok()?;
    cursor.take(size).ok()
}

/// Boot loaders write UTF-16LE (systemd) or bytes (GRUB, the kernel) without saying which: text whose odd bytes are
/// mostly zero is UTF-16.
fn plain(data: &[u8]) -> String {
    let zeros = data.iter().skip(1).step_by(2).filter(|byte| **byte == 0).count();
    if data.len() >= 2 && data.len().is_multiple_of(2) && zeros * 4 >= data.len() {
        utf16(data)
    } else {
        let end = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        String::from_utf8_lossy(&data[..end]).into_owned()
    }
}

/// UTF-16LE without the NULs at its end.
fn utf16(data: &[u8]) -> String {
    let units = data.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    text.trim_end_matches('\0').to_owned()
}

/// A stranger's text made safe for a terminal: control characters and those that turn or hide text (bidirectional
/// marks, zero-width characters) are written as `\u{…}`, and it ends after 512 characters.
pub fn printable(text: &str) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == TEXT_LIMIT {
            out.push('…');
            break;
        }
        if hides(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}
