"""What CuPy offers, written down where CuPy is installed:

    python parity_tests/cupy_standin/names.py > parity_tests/cupy_standin/names.json

CuPy imports without a driver, so no GPU is needed. The stand-in refuses every name and argument that is
not in the list.
"""

import inspect
import json
import sys


def parameters(function):
    """The names of the parameters; None where the function, compiled, does not tell."""
    try:
        return list(inspect.signature(function).parameters)
    except (ValueError, TypeError):
        return None


def table(module, ufunc):
    found = {}
    for name in sorted(dir(module)):
        value = getattr(module, name)
        if name.startswith("_") or inspect.ismodule(value):
            continue
        if isinstance(value, ufunc):
            found[name] = "ufunc"
        elif callable(value):
            found[name] = parameters(value)
    return found


def main():
    import cupy

    tables = {name: table(module, cupy.ufunc) for name, module in {"": cupy, "linalg": cupy.linalg}.items()}
    members = sorted(name for name in dir(cupy.ndarray) if not name.startswith("__"))
    json.dump({"version": cupy.__version__, "functions": tables, "ndarray": members}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
