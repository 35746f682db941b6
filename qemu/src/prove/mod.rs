//! The behavioural proof: one server as it is shipped, users with canaries in everything they do, and a search of all
//! that they could have left. See `docs/prove.md`.

mod about;
mod around;
mod bystander;
pub mod caller;
pub mod canary;
pub mod disks;
pub mod egress;
mod fit;
pub mod forms;
#[cfg(fuzzing)]
pub mod fuzzing;
mod interfaces;
pub mod memory;
pub mod nic;
mod packet;
mod pcap;
pub mod picture;
pub mod plain;
pub mod report;
pub mod run;
pub mod server;
pub mod statement;
mod strangers;
mod survivors;
mod text;
pub mod traffic;
