//! The resolver of the image.
fn main() {}
