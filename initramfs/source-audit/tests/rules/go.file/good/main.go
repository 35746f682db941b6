package main
import "os"

func f() { os.OpenFile("x", os.O_RDONLY, 0) }
