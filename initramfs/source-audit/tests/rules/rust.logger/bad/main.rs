use log::info as say;
use tracing::*;
fn main() {
    say!("x");
    warn!("y");
}
