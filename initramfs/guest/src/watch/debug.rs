//! `watch.tracing`: no message of the kernel is switched on. A changed line of the control file once put a client's
//! address into the kernel's log.

use super::buffer::Buffer;
use crate::stop::Step;
use std::os::fd::OwnedFd;
use vitrine_attest::watch::Rule;

pub struct Messages {
    /// /proc/dynamic_debug/control, some thousand lines. None: a kernel without.
    pub control: Option<OwnedFd>,
}

impl Messages {
    pub fn look(&self, buffer: &mut Buffer) -> Step<Option<Rule>> {
        let Some(control) = &self.control else { return Ok(None) };
        let mut on = false;
        buffer.lines(control, |line| on |= is_on(line))?;
        Ok(on.then_some(Rule::Tracing))
    }
}

/// `file:line [module]function =flags "format"`; `_` is no flag (Documentation/admin-guide/dynamic-debug-howto).
fn is_on(line: &[u8]) -> bool {
    let comment = line.is_empty() || line.starts_with(b"#");
    let before_text = line.split(|&c| c == b'"').next().unwrap_or_default().trim_ascii_end();
    !comment && !before_text.ends_with(b" =_")
}

#[cfg(test)]
mod tests {
    use super::*;

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
