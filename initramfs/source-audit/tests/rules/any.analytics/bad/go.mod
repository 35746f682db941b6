module m

require (
	github.com/segmentio/analytics-go/v3 v3.0.0
)
