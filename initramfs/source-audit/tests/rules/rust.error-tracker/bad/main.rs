fn main() {
    let _guard = sentry::init(dsn);
}
