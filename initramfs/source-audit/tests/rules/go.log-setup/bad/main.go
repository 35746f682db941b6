package main
import (
	"log"
	"os"
)

var l = log.New(os.Stderr, "", 0)
