package main
import (
	"io"
	"log"
	"net/http"
)

func main() { s := &http.Server{Addr: ":1", ErrorLog: log.New(io.Discard, "", 0)}; s.Close() }
