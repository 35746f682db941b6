package main
import "github.com/post/post"
