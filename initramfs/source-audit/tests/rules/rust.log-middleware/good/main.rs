use tower_http::compression::CompressionLayer;
fn main() {
    app.layer(CompressionLayer::new());
}
