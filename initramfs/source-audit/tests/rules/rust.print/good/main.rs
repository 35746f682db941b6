// println!("x")
fn main() {
    let s = "println!(1)";
    writeln!(out, "x");
}
