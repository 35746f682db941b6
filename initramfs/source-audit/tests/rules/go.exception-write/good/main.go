package main
import (
	"fmt"
	"net/http"
)

func h(w http.ResponseWriter, r *http.Request) {
	n := f()
	fmt.Fprintf(w, "%v", n)
}
