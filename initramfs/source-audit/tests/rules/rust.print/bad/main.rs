fn main() {
    println!("x");
    tokio::select! { _ = f() => { dbg!(x); } }
}
