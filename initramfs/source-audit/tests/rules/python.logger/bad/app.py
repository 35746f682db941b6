import logging as l
from logging import info

log = l.getLogger(__name__)


class A:
    def __init__(self):
        self.out = l.getLogger("x")

    def f(self, x):
        self.out.error(f"{x}")
        log.debug("x")
        info(x)
