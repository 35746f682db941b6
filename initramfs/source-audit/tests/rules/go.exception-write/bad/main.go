package main
import (
	"fmt"
	"net/http"
)

func h(w http.ResponseWriter, r *http.Request) {
	err := f()
	fmt.Fprintf(w, "%v", err)
}
