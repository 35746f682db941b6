//! The chunked coding of a request as it comes (RFC 9112 §7.1), before hyper sees it: only to know where it ends, and that
//! everybody would agree on that. hyper takes white space after a size and chunk extensions; here neither is.

use crate::limits::TRAILERS;

/// Follows a chunked body through pieces of any size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunks {
    place: Place,
    /// Of the size: the value so far and its digits; of the data: bytes to come.
    left: u64,
    digits: u8,
    trailers: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size,
    SizeEnd,
    Data,
    /// CR, then LF, after the data.
    DataEnd,
    DataEndLf,
    /// The beginning of a line after the last chunk.
    Line,
    /// Within such a line; the same after its CR.
    InLine,
    LineEnd,
    /// After the CR of the empty line.
    End,
    Over,
}

/// It is not exactly RFC 9112's grammar, or the trailers are too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl Default for Chunks {
    fn default() -> Self {
        Self { place: Place::Size, left: 0, digits: 0, trailers: 0 }
    }
}

impl Chunks {
    /// Reads on. `Some` is the number of bytes up to and with the end of the body; `None`: all belong to it, and more will come.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let mut at = 0;
        while at < bytes.len() && self.place != Place::Over {
            if self.place == Place::Data {
                let step = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len() - at);
                self.left -= step as u64;
                at += step;
                if self.left == 0 {
                    self.place = Place::DataEnd;
                }
                continue;
            }
            self.place = self.next(bytes[at])?;
            at += 1;
        }
        Ok((self.place == Place::Over).then_some(at))
    }

    /// The place after one byte that is not data.
    fn next(&mut self, byte: u8) -> Result<Place, Malformed> {
        match (self.place, byte) {
            (Place::Size, b'\r') if self.digits > 0 => Ok(Place::SizeEnd),
            (Place::Size, digit) => self.digit(digit),
            (Place::SizeEnd, b'\n') if self.left == 0 => Ok(Place::Line),
            (Place::SizeEnd, b'\n') => Ok(Place::Data),
            (Place::DataEnd, b'\r') => Ok(Place::DataEndLf),
            (Place::DataEndLf, b'\n') => {
                self.digits = 0;
                Ok(Place::Size)
            }
            (Place::Line, b'\r') => Ok(Place::End),
            (Place::End, b'\n') => Ok(Place::Over),
            (Place::InLine, b'\r') => Ok(Place::LineEnd),
            (Place::LineEnd, b'\n') => Ok(Place::Line),
            (Place::Line | Place::InLine, byte) => self.in_line(byte),
            _ => Err(Malformed),
        }
    }

    /// Sizes have 15 digits at most: an exabyte.
    fn digit(&mut self, byte: u8) -> Result<Place, Malformed> {
        let digit = char::from(byte).to_digit(16).filter(|_| self.digits < 15).ok_or(Malformed)?;
        self.left = self.left << 4 | u64::from(digit);
        self.digits += 1;
        Ok(Place::Size)
    }

    /// A trailer; its form is hyper's to judge, and it is dropped.
    fn in_line(&mut self, byte: u8) -> Result<Place, Malformed> {
        self.trailers += 1;
        let text = byte == b'\t' || !byte.is_ascii_control();
        let folded = self.place == Place::Line && matches!(byte, b' ' | b'\t');
        if !text || folded || self.trailers > TRAILERS {
            return Err(Malformed);
        }
        Ok(Place::InLine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_in_pieces() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "00a\r\n0123456789\r\nFf\r\n",
            "1\r\na\r\n0\r\nx: y\r\nz: \r\n\r\n",
        ] {
            let body = if body.ends_with("Ff\r\n") {
                format!("{body}{}\r\n0\r\n\r\n", "z".repeat(255))
            } else {
                body.to_owned()
            };
            let followed = format!("{body}GET /");
            assert_eq!(Chunks::default().feed(followed.as_bytes()), Ok(Some(body.len())), "{body:?}");
            let mut chunks = Chunks::default();
            for (n, byte) in body.bytes().enumerate() {
                let end = n + 1 == body.len();
                assert_eq!(chunks.feed(&[byte]), Ok(end.then_some(1)), "{body:?} {n}");
            }
        }
    }

    #[test]
    fn what_servers_read_differently() {
        for body in [
            "\r\n",
            "\n",
            "x\r\n",
            "5;a=b\r\nhello\r\n",
            "5 \r\nhello\r\n",
            " 5\r\nhello\r\n",
            "+5\r\nhello\r\n",
            "0x5\r\nhello\r\n",
            "5\nhello\r\n",
            "5\rxhello",
            "5\r\nhello!\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "0\r\n\n",
            "0\r\n\rx",
            "0\r\nx: y\n\r\n",
            "0\r\n folded\r\n\r\n",
            "0\r\nx\0y\r\n\r\n",
            "1000000000000000\r\n",
            "-1\r\n",
            "5,5\r\n",
        ] {
            assert_eq!(Chunks::default().feed(body.as_bytes()), Err(Malformed), "{body:?}");
        }
        let long = format!("0\r\nx: {}\r\n\r\n", "y".repeat(TRAILERS));
        assert_eq!(Chunks::default().feed(long.as_bytes()), Err(Malformed));
    }
}
