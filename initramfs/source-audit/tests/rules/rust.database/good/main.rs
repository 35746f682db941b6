fn f() {
    net::Connection::close("x");
}
