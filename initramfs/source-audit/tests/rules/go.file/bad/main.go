package main
import "os"

func f() { os.OpenFile("x", os.O_APPEND|os.O_WRONLY, 0o600) }
