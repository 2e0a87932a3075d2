"""The version, in one place: the build reads it from here and `minitorch2.__version__` is this string."""

__version__ = "0.1.0"
