package main
import (
	"io"
	"log"
)

var l = log.New(io.Discard, "", 0)
