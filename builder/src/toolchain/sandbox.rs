//! Runs a command in a root file system, without a network, and hands on what it says.

use super::keeper;
use super::plan::Plan;
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use vitrine_attest::{Error, Result};

/// Lines that are kept of what the command said.
const LINES: usize = 200;
/// Bytes of one line; the rest is left out.
const WIDTH: usize = 2000;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// 128 and the signal's number when it was killed.
    pub code: u8,
    /// The last lines of its output and errors.
    pub said: String,
}

/// Runs `plan` to its end. `program` is a `vitrine`; `tell` hears every line. Is this process killed meanwhile, the
/// command is too, and the plan's scratch folder is removed.
///
/// # Errors
/// [`vitrine_attest::Blame::Host`] when the machine does not allow such a sandbox, with what to do.
pub fn run(program: &Path, plan: &Plan, tell: &mut dyn FnMut(&str)) -> Result<Ended> {
    let text = serde_json::to_string(plan).map_err(|e| Error::bug(format!("plan of a sandbox: {e}")))?;
    let failed =
        |e: std::io::Error| Error::host(format!("{}: {e}", program.display()), "check the program and the limits");
    let mut command = Command::new(program);
    // a group of its own: Ctrl-C ends us, the keeper notices and clears up
    command.arg0(keeper::NAME).arg(text).env_clear().process_group(0);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let alive = child.stdin.take(); // `wait` would close it
    let lines = listen(&mut child, tell);
    let status = child.wait().map_err(failed)?;
    drop(alive);
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(255);
    let code = u8::try_from(code).unwrap_or(255);
    if code == keeper::NO_SANDBOX {
        let last = lines.back().map(String::as_str).unwrap_or_default();
        let (what, hint) = last.split_once('\t').unwrap_or((last, "see docs/reproduce.md, \"What the host needs\""));
        return Err(Error::host(what, hint));
    }
    Ok(Ended { code, said: Vec::from(lines).join("\n") })
}

fn listen(child: &mut Child, tell: &mut dyn FnMut(&str)) -> VecDeque<String> {
    let mut lines = VecDeque::new();
    let Some(output) = child.stderr.take() else { return lines };
    for line in BufReader::new(output).split(b'\n').map_while(std::io::Result::ok) {
        let text: String = String::from_utf8_lossy(&line[..line.len().min(WIDTH)]).into_owned();
        let text: String = text.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        tell(&text);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(text);
    }
    lines
}
