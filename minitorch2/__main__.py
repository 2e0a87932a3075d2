"""`python -m minitorch2` is the command minitorch2."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
