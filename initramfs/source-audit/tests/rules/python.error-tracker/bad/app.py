import sentry_sdk

sentry_sdk.init()
