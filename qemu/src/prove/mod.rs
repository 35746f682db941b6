//! The behavioural proof: one server as it is shipped, users with canaries in everything they do, and a search of all
//! that they could have left. See `docs/prove.md`.

pub mod canary;
pub mod disks;
pub mod egress;
pub mod forms;
pub mod memory;
pub mod nic;
mod packet;
mod pcap;
pub mod server;
pub mod traffic;
