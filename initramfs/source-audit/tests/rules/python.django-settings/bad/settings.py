MIDDLEWARE = ["request_logging.middleware.LoggingMiddleware"]
