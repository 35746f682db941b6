fn main() {
    let figment = rocket::Config::figment().merge(("log_level", "off"));
    rocket::custom(figment).launch();
}
