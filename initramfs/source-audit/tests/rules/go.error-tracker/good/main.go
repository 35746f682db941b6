package main
import _ "github.com/getset/sentry"
