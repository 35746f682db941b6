from mine import LoggingMiddleware

app.add_middleware(LoggingMiddleware)
