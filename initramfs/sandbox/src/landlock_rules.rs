//! Landlock: no file, no TCP port but the named ones, no signal and no abstract Unix socket out of the process.

use crate::Tcp;
use landlock::{
    Access as _, AccessFs, AccessNet, LandlockStatus, NetPort, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetError, RulesetStatus, Scope, ABI,
};

/// The newest version we know: all of its rights are handled, and an older kernel enforces those it has.
const NEWEST: ABI = ABI::V9;

#[derive(Debug)]
pub enum Error {
    /// The kernel has Landlock and took none of the rules.
    NotEnforced,
    Rules,
}

impl From<RulesetError> for Error {
    fn from(_: RulesetError) -> Self {
        Self::Rules
    }
}

/// Handles every right and grants two kinds: [`Tcp::bind`], [`Tcp::connect`]. Sets `no_new_privs` as well.
pub fn restrict(tcp: Tcp<'_>) -> Result<(), Error> {
    let ports = |ports: &[u16], right: AccessNet| -> Vec<_> {
        ports.iter().map(|port| Ok(NetPort::new(*port, right))).collect::<Vec<Result<_, RulesetError>>>()
    };
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(ports(tcp.bind, AccessNet::BindTcp))?
        .add_rules(ports(tcp.connect, AccessNet::ConnectTcp))?
        .restrict_self()?;
    let missing = matches!(status.landlock, LandlockStatus::NotEnabled | LandlockStatus::NotImplemented);
    if status.ruleset == RulesetStatus::NotEnforced && !missing {
        return Err(Error::NotEnforced);
    }
    Ok(())
}
