//! The way to a gateway: HTTPS to exactly the key that the server's TPM has vouched for. Names, dates and issuers of a certificate
//! prove nothing here and are not looked at.

mod address;
mod connect;
mod pin;

pub use address::Address;
pub use connect::{connect, Connected, Failure};
pub use pin::{client, Tls};
