import logging

logging.getLogger("x").addFilter(None)
