package main
import "database/sql"

var d sql.NullString
