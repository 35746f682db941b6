package main
import "fmt"

func f(x int) { panic(fmt.Sprintf("%d", x)) }
