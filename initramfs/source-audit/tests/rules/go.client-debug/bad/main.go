package main
import "net/http/httptrace"

func f() { httptrace.WithClientTrace(c, t) }
