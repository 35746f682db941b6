// println!("x")
fn main() {
    let s = "println!(1)";
    writeln!(out, "x");
}

#[cfg(test)]
mod tests {
    #[test]
    fn prints() {
        println!("not in the program");
    }
}
