fn f(o: Options) {
    o.log_statements(LevelFilter::Off);
}
