f.cache_info()
