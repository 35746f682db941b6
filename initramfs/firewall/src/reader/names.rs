//! The words of `nft` for numbers.

/// ICMP types that rules of ours name.
pub fn icmp(kind: u8) -> String {
    match kind {
        0 => "echo-reply".into(),
        3 => "destination-unreachable".into(),
        8 => "echo-request".into(),
        11 => "time-exceeded".into(),
        other => other.to_string(),
    }
}

pub fn icmp6(kind: u8) -> String {
    let name = match kind {
        1 => "destination-unreachable",
        2 => "packet-too-big",
        3 => "time-exceeded",
        128 => "echo-request",
        129 => "echo-reply",
        130 => "mld-listener-query",
        133 => "nd-router-solicit",
        134 => "nd-router-advert",
        135 => "nd-neighbor-solicit",
        136 => "nd-neighbor-advert",
        143 => "mld2-listener-report",
        other => return other.to_string(),
    };
    name.into()
}
