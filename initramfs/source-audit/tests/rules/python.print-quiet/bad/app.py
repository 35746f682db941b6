import warnings

warnings.warn(text)
