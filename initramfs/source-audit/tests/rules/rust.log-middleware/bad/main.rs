use tower_http::trace::TraceLayer;
fn main() {
    app.layer(TraceLayer::new_for_http());
}
