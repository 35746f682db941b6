executor.exec(text)
