package main
import "fmt"

// fmt.Println("x")
func main() { _ = fmt.Sprintf("fmt.Println") }
