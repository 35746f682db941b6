//! A DHCPv4 client (RFC 2131): messages, a state machine without clock or socket, and the socket.
//!
//! Left out: probing the offered address by ARP and DECLINE (§4.4.1; it needs a packet socket, which the image gives
//! up), INIT-REBOOT (nothing is kept over a boot), and every option that names the client.

pub mod lease;
pub mod machine;
pub mod message;
pub mod socket;
pub mod wire;
