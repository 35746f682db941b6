//! Netlink attributes: `length[2] ‖ type[2] ‖ value`, padded to four bytes (RFC 3549 §2.2; host byte order).

/// Marks an attribute whose value is a list of attributes.
pub const NESTED: u16 = 0x8000;

/// A list of attributes under construction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    /// Appends one attribute.
    ///
    /// # Panics
    /// When the value is longer than 65,531 bytes; the longest of ours is one rule, below 1 KiB.
    #[must_use]
    pub fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + 4).expect("rules are far shorter than an attribute can be");
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Numbers of nfnetlink are big-endian.
    #[must_use]
    pub fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Text with its final NUL.
    #[must_use]
    pub fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), b"\0"].concat())
    }

    #[must_use]
    pub fn nest(self, kind: u16, inner: Self) -> Self {
        self.bytes(kind | NESTED, &inner.0)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn padding_and_nesting() {
        let inner = Attributes::default().text(1, "ab").number(2, 7);
        assert_eq!(inner.as_bytes(), [7, 0, 1, 0, b'a', b'b', 0, 0, 8, 0, 2, 0, 0, 0, 0, 7]);
        let outer = Attributes::default().nest(4, inner);
        assert_eq!(outer.as_bytes()[..4], [20, 0, 4, 0x80]);
    }
}
