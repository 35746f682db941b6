fn main() {
    environment::init();
}
