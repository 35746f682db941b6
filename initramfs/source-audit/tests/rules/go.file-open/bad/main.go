package main
import "os"

func f() { os.OpenFile("x", os.O_RDWR, 0o600) }
