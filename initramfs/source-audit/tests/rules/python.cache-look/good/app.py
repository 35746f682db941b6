f.cache_clear()
