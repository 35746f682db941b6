with open("requests.txt", mode="a") as f:
    f.write(text)
