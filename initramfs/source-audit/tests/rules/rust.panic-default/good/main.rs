fn f() {
    panic!("unreachable");
}
