fn f() -> Result<(), (u16, String)> {
    g().map_err(|e| (500, e.to_string()))
}
