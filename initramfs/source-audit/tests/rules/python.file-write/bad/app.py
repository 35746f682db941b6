f = open("x", "w")
