use clap::Command;
fn f() {
    Command::new("app");
}
