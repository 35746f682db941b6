package main
import "C"
