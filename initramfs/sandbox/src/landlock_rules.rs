//! Landlock: no file (of an operator's program: none to be written), no TCP port but the named ones, no signal and no abstract Unix
//! socket out of the process.

use crate::{Profile, Tcp};
use landlock::{
    Access as _, AccessFs, AccessNet, LandlockStatus, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, ABI,
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

/// Handles every right and grants two kinds: [`Tcp::bind`], [`Tcp::connect`]; to an app a third: to read and run what is in its root. Sets `no_new_privs` as well.
pub fn restrict(profile: Profile, tcp: Tcp<'_>) -> Result<(), Error> {
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
        .add_rules(own_root(profile)?)?
        .restrict_self()?;
    let missing = matches!(status.landlock, LandlockStatus::NotEnabled | LandlockStatus::NotImplemented);
    if status.ruleset == RulesetStatus::NotEnforced && !missing {
        return Err(Error::NotEnforced);
    }
    Ok(())
}

/// What is in the root that the process has entered.
fn own_root(profile: Profile) -> Result<Vec<Result<PathBeneath<PathFd>, RulesetError>>, Error> {
    if profile != Profile::App {
        return Ok(vec![]);
    }
    let root = PathFd::new("/").map_err(|_| Error::Rules)?;
    Ok(vec![Ok(PathBeneath::new(root, AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::Execute))])
}
