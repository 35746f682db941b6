package main
import f "fmt"

func main() { f.Println("x") }
