use std::fs;
fn f() {
    fs::write("x", "y");
}
