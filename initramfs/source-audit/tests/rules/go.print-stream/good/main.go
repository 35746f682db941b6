package main
import (
	"fmt"
	"bytes"
)

func main() { var b bytes.Buffer; fmt.Fprintln(&b, 1) }
