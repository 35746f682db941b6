use std::fs;
fn f() {
    fs::read("x");
}
