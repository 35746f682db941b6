use moka::sync::Cache;
fn f() {
    Cache::new(10);
}
