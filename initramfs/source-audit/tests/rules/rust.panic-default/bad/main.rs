fn f(x: u8) {
    panic!("{x}");
}
