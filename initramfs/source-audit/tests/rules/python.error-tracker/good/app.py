import sentry
