package main
import (
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

var c = &gorm.Config{Logger: logger.Discard}
