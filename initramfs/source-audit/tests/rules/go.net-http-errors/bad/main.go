package main
import "net/http"

func main() { s := http.Server{Addr: ":1"}; s.Close() }
