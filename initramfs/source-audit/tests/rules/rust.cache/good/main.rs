use mocha::Mug;
fn f() {
    Mug::new(10);
}
