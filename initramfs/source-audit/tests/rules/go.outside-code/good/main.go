package main
import "unsafe"
