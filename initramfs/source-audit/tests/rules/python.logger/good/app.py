import math


def f(x, parser):
    """logging.info("text")"""
    parser.error(x)
    return math.log(x)
