#[must_use]
fn f(question: String) -> String {
    g(question)
}
