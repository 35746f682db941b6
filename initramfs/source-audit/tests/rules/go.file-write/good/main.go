package main
import "os"

func f() { os.ReadFile("x") }
