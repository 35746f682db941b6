//! `watch.firewall`: the packet filter is what the kernel made of the measured batch.
//!
//! Each change of any rule gives the ruleset another generation (nft(8), `NFT_MSG_GETGEN`), so that two numbers tell. Now
//! and then everything is read back and compared with what the kernel said right after loading.

use crate::net::attribute::find;
use crate::net::netlink::{raw, Netlink};
use crate::stop::{OrStop as _, Step};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP};
use netlink_sys::protocols::NETLINK_NETFILTER;
use vitrine_attest::watch::Rule;
use vitrine_attest::Sha256;

/// linux/netfilter/nf_tables.h, in the subsystem NFNL_SUBSYS_NFTABLES.
const SUBSYSTEM: u16 = 10 << 8;
const GET_GENERATION: u16 = SUBSYSTEM | 16;
const GENERATION: u16 = 1;
/// Tables, chains, rules, sets, objects, flow tables.
const EVERYTHING: [u16; 6] = [1, 4, 7, 10, 19, 23];
/// `nlmsghdr ‖ nfgenmsg`: family, version, and the generation's lower half, which differs where nothing else does.
const HEADERS: usize = 16 + 4;
/// All families.
const ANY: [u8; 4] = [0; 4];

pub struct Ruleset {
    generation: Vec<u8>,
    content: Sha256,
}

impl Ruleset {
    /// Call it when the batch is loaded, and before anything else can be.
    pub fn open() -> Step<Self> {
        Ok(Self { generation: generation()?, content: content()? })
    }

    #[cfg(test)]
    pub fn same_content(&self, other: &Self) -> bool {
        self.content == other.content
    }

    pub fn look(&self, thoroughly: bool) -> Step<Option<Rule>> {
        let same = generation()? == self.generation && (!thoroughly || content()? == self.content);
        Ok((!same).then_some(Rule::Firewall))
    }
}

fn generation() -> Step<Vec<u8>> {
    let question = raw(GET_GENERATION, NLM_F_ACK, &ANY)?;
    let answer = Netlink::open(NETLINK_NETFILTER)?.send(&question, 1)?.or_stop("watch-form")?;
    let attributes = answer.get(HEADERS..).or_stop("watch-form")?;
    find(attributes, GENERATION)?.map(<[u8]>::to_vec).or_stop("watch-form")
}

/// A digest of all that the kernel says of its ruleset, in its order. Our rules count nothing, so it stays the same.
fn content() -> Step<Sha256> {
    let mut digest = Sha256::ZERO;
    for what in EVERYTHING {
        Netlink::open(NETLINK_NETFILTER)?.dump(&raw(SUBSYSTEM | what, NLM_F_DUMP, &ANY)?, |message| {
            let kind = message.get(4..6).or_stop("watch-form")?;
            let family = message.get(16..17).or_stop("watch-form")?;
            let attributes = message.get(HEADERS..).or_stop("watch-form")?;
            digest = Sha256::of_parts(&[&digest.0, kind, family, attributes]);
            Ok(())
        })?;
    }
    Ok(digest)
}
