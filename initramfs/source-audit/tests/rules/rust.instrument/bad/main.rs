use tracing::instrument;
#[instrument(skip(a))]
fn f(a: u8) {}
