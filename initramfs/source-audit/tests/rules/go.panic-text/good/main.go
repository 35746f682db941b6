package main
func f() { panic("unreachable") }
