package main
import "gorm.io/gorm"

var c = &gorm.Config{}
