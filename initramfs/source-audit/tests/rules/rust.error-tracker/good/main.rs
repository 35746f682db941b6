fn main() {
    let _guard = sentinel::init(dsn);
}
