package main
import "gorm.io/gorm/logger"

var l = logger.Discard
