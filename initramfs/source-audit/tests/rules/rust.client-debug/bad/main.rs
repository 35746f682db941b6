fn f() {
    reqwest::Client::builder().connection_verbose(true);
}
