//! Generic netlink: a family is asked for its number once, by name.

use super::netlink::Netlink;
use crate::stop::{OrStop as _, Step};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::{GenlFamily, GenlMessage};

/// The number the kernel gave to a family at this boot.
pub fn family(netlink: &Netlink, name: &str) -> Step<u16> {
    let attributes = vec![GenlCtrlAttrs::FamilyName(name.into())];
    let mut question = GenlMessage::from_payload(GenlCtrl { cmd: GenlCtrlCmd::GetFamily, nlas: attributes });
    question.finalize();
    let answer = netlink.ask(question)?;
    let message = NetlinkMessage::<GenlMessage<GenlCtrl>>::deserialize(&answer).or_stop("genl")?;
    let NetlinkPayload::InnerMessage(message) = message.payload else {
        return None.or_stop("genl");
    };
    let number = |attribute: &GenlCtrlAttrs| match attribute {
        GenlCtrlAttrs::FamilyId(id) => Some(*id),
        _ => None,
    };
    message.payload.nlas.iter().find_map(number).or_stop("genl")
}

/// A message to a family whose number is known.
pub fn message<F: GenlFamily + std::fmt::Debug>(family: u16, payload: F) -> GenlMessage<F> {
    let mut message = GenlMessage::from_payload(payload);
    message.set_resolved_family_id(family);
    message
}
