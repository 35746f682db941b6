with open("config.toml", "rb") as f:
    f.read()
