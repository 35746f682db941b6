//! The packet filter: rules from the configuration, their netlink bytes, and a reader of such bytes.
