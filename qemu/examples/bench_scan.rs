//! How fast a guest's memory is searched: 1 GiB, every page touched, as many needles as a proof has. Prints seconds for a
//! memory like that of a running server (a tenth is not zero) and for one that is full, the median of five runs each.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;
use vitrine_qemu::prove::canary::{Canary, Kind, Value};
use vitrine_qemu::prove::memory::Hunt;

const SIZE: usize = 1 << 30;
const PIECE: usize = 1 << 20;
const RUNS: usize = 5;

fn main() -> std::io::Result<()> {
    let canaries = canaries();
    for (name, every) in [("a_tenth_filled", 10), ("full", 1)] {
        let file = memory(every)?;
        let mut times = [Duration::ZERO; RUNS];
        for time in &mut times {
            let hunt = Hunt::new(&canaries).map_err(std::io::Error::other)?;
            let (copies, scanned) = hunt.search(&file).map_err(std::io::Error::other)?;
            assert!(copies.is_empty() && scanned.touched == SIZE as u64, "noise is no canary");
            *time = scanned.time;
        }
        times.sort_unstable();
        println!("{name} {:.2}", times[RUNS / 2].as_secs_f64());
    }
    Ok(())
}

/// Of two users and a stranger.
fn canaries() -> Vec<Canary> {
    let mut all = Vec::new();
    for number in 1..=9_u8 {
        let bytes: Vec<u8> = (0..24).map(|at| number.wrapping_mul(37).wrapping_add(at * 11) | 1).collect();
        let address: [u8; 16] = std::array::from_fn(|at| bytes[at]);
        all.push(Canary::address(Kind::Endpoint, std::net::Ipv6Addr::from(address)));
        all.push(Canary::new(Kind::Payload, Value::Bytes(bytes)));
        all.push(Canary::new(Kind::Name, Value::Name(format!("qzjxkvwqzjxkvw{number}x.any.good.vitrine"))));
        all.push(Canary::new(Kind::HandshakeTime, Value::Time(1_800_000_000 + u64::from(number))));
    }
    all
}

/// Every page is there; of so many pieces one is noise.
fn memory(every: usize) -> std::io::Result<File> {
    let file = File::from(rustix::fs::memfd_create("bench", rustix::fs::MemfdFlags::CLOEXEC)?);
    let (mut seed, zeros) = (0x2545_f491_4f6c_dd1d_u64, vec![0; PIECE]);
    for piece in 0..SIZE / PIECE {
        let mut noise = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let bytes = match piece % every {
            0 => (0..PIECE / 8).flat_map(|_| noise().to_le_bytes()).collect(),
            _ => zeros.clone(),
        };
        file.write_all_at(&bytes, (piece * PIECE) as u64)?;
    }
    Ok(file)
}
