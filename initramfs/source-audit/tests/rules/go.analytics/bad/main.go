package main
import "github.com/posthog/posthog-go"
