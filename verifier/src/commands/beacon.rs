//! `vitrine-verify beacon`

use super::{print, Done};
use crate::cli::Beacon;
use crate::clock::{now, timestamp};
use crate::server::Server;
use crate::{beacon, files, session};
use std::time::Duration;
use vitrine_attest::config::Span;
use vitrine_attest::evidence::beacon_nonce;
use vitrine_attest::note::NOTE_LIMIT;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::{Error, Result};

/// Returns after one beacon, or, with `--every`, when a line cannot be written.
pub fn run(args: &Beacon) -> Result<Done> {
    let maker = Maker {
        args,
        server: Server::new(&args.server, Duration::from_secs(args.timeout))?,
        keys: args.log_keys.as_deref().map(read_keys).transpose()?,
    };
    let Some(every) = args.every else {
        return Ok(Done::ok(format!("{}\n", maker.make(&maker.checkpoint()?)?)));
    };
    maker.go_on(every)
}

/// The file of `--log-keys`.
pub fn read_keys(path: &std::path::Path) -> Result<Vec<NoteKey>> {
    beacon::keys(&files::read(path, beacon::KEYS_FILE_LIMIT)?).map_err(|e| e.within(path.display()))
}

struct Maker<'a> {
    args: &'a Beacon,
    server: Server,
    keys: Option<Vec<NoteKey>>,
}

impl Maker<'_> {
    /// One line for each beacon and for each failure. A beacon that cannot be replaced stays: its age tells.
    fn go_on(&self, every: Span) -> Result<Done> {
        let mut last = String::new();
        loop {
            let line = match self.checkpoint() {
                // the same checkpoint again would date nothing anew
                Ok(checkpoint) if checkpoint == last => None,
                made => Some(match made.and_then(|checkpoint| Ok((self.make(&checkpoint)?, checkpoint))) {
                    Ok((words, checkpoint)) => {
                        last = checkpoint;
                        words
                    }
                    Err(error) => format!("no new beacon: {}", error.what),
                }),
            };
            if let Some(line) = line {
                say(&line)?;
            }
            std::thread::sleep(every.duration());
        }
    }

    fn checkpoint(&self) -> Result<String> {
        let path = &self.args.checkpoint;
        let hint = "give a checkpoint as the log publishes it, with its signatures";
        let unusable = |why: String| Error::input(format!("{}: {why}", path.display()), hint);
        let bytes = files::read(path, NOTE_LIMIT)?;
        match &self.keys {
            Some(keys) => _ = beacon::checked(&bytes, keys).map_err(unusable)?,
            None => beacon::has_form(&bytes).map_err(unusable)?,
        }
        String::from_utf8(bytes).map_err(|_| unusable("the note is no UTF-8".into()))
    }

    /// Asks, and replaces the file.
    fn make(&self, checkpoint: &str) -> Result<String> {
        let m2 = session::evidence(&self.server, beacon_nonce(checkpoint.as_bytes()))?;
        files::publish(&self.args.out, &beacon::to_file(checkpoint, &m2)?, "choose another place with --out")?;
        let mut lines = checkpoint.lines();
        let (log, size) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        Ok(format!("{} written, dated by {log} at {size} entries", self.args.out.display()))
    }
}

/// One line, at once.
fn say(words: &str) -> Result<()> {
    print(&format!("{} {words}", timestamp(now()?.as_secs())))
}
