//! What PID 1 and its children share: how a step fails, how the one line from init is read, how a server shows the attested key.
#![deny(unsafe_code)]
// Tests may print and panic: they are not in the image.
#![cfg_attr(test, allow(clippy::disallowed_macros, clippy::disallowed_methods))]

pub mod start;
pub mod stop;
#[cfg(feature = "tls")]
pub mod tls;
