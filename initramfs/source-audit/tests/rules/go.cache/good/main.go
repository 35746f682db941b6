package main
import "github.com/redis/go-redis/v9"

var c = redis.Nil
