//! A chain: where rules stand, and what happens with a packet that none of them wants.

use crate::rule::Rule;

/// Where a chain looks at packets, with the kernel's number (enum nf_inet_hooks).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    Prerouting = 0,
    Input = 1,
    Forward = 2,
    Output = 3,
    Postrouting = 4,
}

/// What happens with a packet that no rule wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Drop = 0,
    Accept = 1,
}

/// What a chain can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Filter,
    /// Sees the first packet of each connection.
    Nat,
    /// Packets whose mark it changes are routed again.
    Route,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Nat => "nat",
            Self::Route => "route",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    pub name: &'static str,
    pub kind: Kind,
    pub hook: Hook,
    /// Order among chains of one hook: −300 before connection tracking (−200), −150 changes of packets, 0 filtering,
    /// 100 source NAT (enum nf_ip_hook_priorities).
    pub priority: i32,
    pub policy: Policy,
    pub rules: Vec<Rule>,
}
