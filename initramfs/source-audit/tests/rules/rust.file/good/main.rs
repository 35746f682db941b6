use std::fs::OpenOptions;
fn f() {
    OpenOptions::new().read(true).open("x");
    list.append(true);
}
