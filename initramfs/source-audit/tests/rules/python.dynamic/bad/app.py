exec(text)
