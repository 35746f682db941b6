fn f() {
    rusqlite::Connection::open("x");
}
