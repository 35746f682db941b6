f = open("x", "r")
