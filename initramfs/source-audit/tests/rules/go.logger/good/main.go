package main
import "math"

func f(t T) { math.Log(2); t.Error() }
