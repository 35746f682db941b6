package main
import "database/sql"

var d, _ = sql.Open("x", "y")
