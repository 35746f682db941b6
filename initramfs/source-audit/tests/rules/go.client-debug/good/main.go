package main
import "net/http"

func f() { http.Get("x") }
