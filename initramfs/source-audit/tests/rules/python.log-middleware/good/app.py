from mine import GzipMiddleware

app.add_middleware(GzipMiddleware)
