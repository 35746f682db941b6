#[inline]
fn f(a: u8) {}
