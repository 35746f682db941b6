#[cached]
fn f(question: String) -> String {
    g(question)
}
