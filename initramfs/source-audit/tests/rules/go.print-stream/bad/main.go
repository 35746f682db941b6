package main
import (
	"fmt"
	"os"
)

func main() { fmt.Fprintln(os.Stderr, 1) }
