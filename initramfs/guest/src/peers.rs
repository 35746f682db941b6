//! Who may use the tunnel. The rules are shared with the owner's own computer, see [`vitrine_attest::peers`].

pub use vitrine_attest::peers::Peers;
