fn main() {
    vec![info];
    reader.info(error);
}
