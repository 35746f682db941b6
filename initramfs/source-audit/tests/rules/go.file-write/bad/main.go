package main
import "os"

func f() { os.WriteFile("x", nil, 0o600) }
