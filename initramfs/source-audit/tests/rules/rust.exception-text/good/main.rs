fn f() -> Result<(), (u16, &'static str)> {
    g().map_err(|_| (500, "failed"))
}
