//! How many checks one core makes in one process: the genuine session of the test kit, judged again and again. Called by
//! `tools/bench/verify.sh`, which prints the rows of the table.
//!
//! `bench_check KIT SECONDS cold|warm` prints checks per second of processor time. `cold`: everything from the files' bytes,
//! nothing kept, as a whole `vitrine-verify check` does it. `warm`: statement, roots and chain as a fleet keeps them, the
//! evidence from its bytes.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vitrine_attest::dsse::Envelope;
use vitrine_attest::ek::Roots;
use vitrine_attest::vkey::NoteKey;
use vitrine_verifier::case::Inputs;
use vitrine_verifier::exchange::Exchange;
use vitrine_verifier::promise::Promise;
use vitrine_verifier::report::judge;
use vitrine_verifier::verdict::{Level, Verdict};

/// Checks between two looks at the clock.
const BATCH: u32 = 50;

type Bytes = Vec<u8>;

/// The kit's files, read once.
struct Kit {
    session: Bytes,
    statement: Bytes,
    key: Bytes,
    roots: Bytes,
}

impl Kit {
    fn read(folder: &Path) -> std::io::Result<Self> {
        let read = |name: &str| std::fs::read(folder.join(name));
        Ok(Self {
            session: read("cases/genuine.json")?,
            statement: read("trust/release.dsse.json")?,
            key: read("trust/release.pub")?,
            roots: read("trust/ek-roots.pem")?,
        })
    }

    fn promise(&self) -> vitrine_attest::Result<Arc<Promise>> {
        Ok(Arc::new(Promise::new(Envelope::from_json(&self.statement)?, NoteKey::from_file(&self.key)?)))
    }
}

/// Processor time of this process, in user and in kernel mode.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, seconds, mode] = arguments.as_slice() else {
        return Err("usage: bench_check KIT SECONDS cold|warm".into());
    };
    let (kit, limit, cold) = (Kit::read(Path::new(folder))?, Duration::from_secs(seconds.parse()?), mode == "cold");
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let (promise, roots) = (kit.promise()?, Roots::parse(&kit.roots)?);
    let exchange = Exchange::from_file("genuine", &kit.session, None, None)?;
    let check = || -> Result<(), Box<dyn std::error::Error>> {
        let inputs = match cold {
            true => Inputs {
                exchange: Exchange::from_file("genuine", &kit.session, None, None)?,
                promise: kit.promise()?,
                roots: Some(Roots::parse(&kit.roots)?),
                now,
            },
            false => Inputs { exchange: exchange.clone(), promise: promise.clone(), roots: Some(roots.clone()), now },
        };
        let (_, report) = judge(inputs, Level::L2);
        if report.verdict != Verdict::Accepted {
            return Err(format!("the genuine session is not accepted:\n{}", report.text()).into());
        }
        Ok(())
    };
    check()?;
    let (begun, mut count) = (cpu(), 0);
    while cpu() - begun < limit {
        for _ in 0..BATCH {
            check()?;
        }
        count += BATCH;
    }
    println!("{:.0}", f64::from(count) / (cpu() - begun).as_secs_f64());
    Ok(())
}
