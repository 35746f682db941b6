# print("a comment")
text = "print(1)"


def f(print, printer):
    print(1)
    printer.print(1)
