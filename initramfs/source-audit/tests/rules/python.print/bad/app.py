from builtins import print as say


def f(x):
    say(x)
    map(print, [x])
