import logging

logging.getLogger("x").addHandler(logging.NullHandler())
