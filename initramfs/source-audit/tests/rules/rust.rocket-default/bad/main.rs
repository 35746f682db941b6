fn main() {
    rocket::build().launch();
}
