"""The version, in one place: the build reads it from here and `minitorch2.__version__` is this string."""

__version__ = "0.1.0"

# What else torch.version says: no build for a GPU, since CuPy is found when it is asked for.
cuda = hip = rocm = xpu = None
debug, git_version = False, "unknown"
