package main
import (
	"log"
	z "go.uber.org/zap"
)

type S struct{ logger *z.Logger }

func (s *S) f() { s.logger.Info("x"); log.Printf("%v", s) }
