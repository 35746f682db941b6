package main
import _ "github.com/getsentry/sentry-go"
