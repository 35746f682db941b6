import functools


@app.get("/x")
@functools.lru_cache
def f(q):
    return q
