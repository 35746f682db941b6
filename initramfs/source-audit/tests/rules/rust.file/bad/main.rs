use std::fs::OpenOptions;
fn f() {
    OpenOptions::new().create(true).append(true).open("x");
}
