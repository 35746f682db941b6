//! The archive client against mirrors on this machine: good ones, stale ones, broken ones, lying ones.

mod fetching;
mod fixture;
mod locking;
mod mirrors;
mod server;
mod signatures;
mod signer;
