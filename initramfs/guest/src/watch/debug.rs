//! `watch.tracing`: no message of the kernel is switched on that was not built so. A changed line of the control file once put a client's
//! address into the kernel's log.

use super::buffer::Buffer;
use crate::stop::Step;
use std::os::fd::OwnedFd;
use vitrine_attest::watch::Rule;
use vitrine_attest::Sha256;

pub struct Messages {
    /// /proc/dynamic_debug/control, some thousand lines. None: a kernel without.
    control: Option<OwnedFd>,
    /// Of those that the measured kernel has on by itself.
    first: Option<Sha256>,
}

impl Messages {
    pub fn new(control: Option<OwnedFd>) -> Self {
        Self { control, first: None }
    }

    pub fn look(&mut self, buffer: &mut Buffer) -> Step<Option<Rule>> {
        let Some(control) = &self.control else { return Ok(None) };
        let mut on = Sha256::ZERO;
        buffer.lines(control, |line| {
            if is_on(line) {
                on = Sha256::of_parts(&[&on.0, line]);
            }
        })?;
        Ok((*self.first.get_or_insert(on) != on).then_some(Rule::Tracing))
    }
}

/// `file:line [module]function =flags "format"`; `_` is no flag (Documentation/admin-guide/dynamic-debug-howto).
pub(super) fn is_on(line: &[u8]) -> bool {
    let comment = line.is_empty() || line.starts_with(b"#");
    let before_text = line.split(|&c| c == b'"').next().unwrap_or_default().trim_ascii_end();
    !comment && !before_text.ends_with(b" =_")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel that was built with some messages on keeps them; each other one is seen.
    #[test]
    fn what_is_switched_on_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let write = |flags: &str| {
            std::fs::write(&path, format!("# head\na.c:1 [m]f =p \"built so\"\nb.c:2 [wg]g {flags} \"%pISpfsc\"\n"))
                .unwrap();
        };
        write("=_");
        let mut messages = Messages::new(Some(std::fs::File::open(&path).unwrap().into()));
        let mut buffer = Buffer::new();
        assert_eq!((messages.look(&mut buffer), messages.look(&mut buffer)), (Ok(None), Ok(None)));
        write("=p");
        assert_eq!(messages.look(&mut buffer), Ok(Some(Rule::Tracing)));
        write("=_");
        assert_eq!(messages.look(&mut buffer), Ok(None));
        assert_eq!(Messages::new(None).look(&mut buffer), Ok(None));
    }

    #[test]
    fn lines() {
        for off in [
            "",
            "# filename:lineno [module]function flags format",
            "init/main.c:1234 [main]initcall_blacklisted =_ \"initcall %s blacklisted\\012\"",
            "a.c:1 [wireguard]wg_receive =_ \"=p \\042quoted\\042\"",
        ] {
            assert!(!is_on(off.as_bytes()), "{off}");
        }
        for on in ["a.c:1 [wireguard]wg_receive =p \"%pISpfsc\"", "a.c:1 [m]f =pmfl \"=_\"", "strange"] {
            assert!(is_on(on.as_bytes()), "{on}");
        }
    }
}
