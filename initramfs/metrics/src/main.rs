//! The metrics program of the image.
fn main() {}
