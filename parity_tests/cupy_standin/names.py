"""What CuPy offers, written down where CuPy is installed:

    python -P parity_tests/cupy_standin/names.py > parity_tests/cupy_standin/names.json

CuPy imports without a driver, so no GPU is needed. The stand-in refuses every name and argument that is
not in the list.
"""

import inspect
import json
import re
import sys


def parameters(function):
    """The names of the parameters; None where the function, compiled, does not tell."""
    try:
        return list(inspect.signature(function).parameters)
    except (ValueError, TypeError):
        return None


def of_method(method):
    """The same of a method of arrays, compiled too, whose docstring begins with its signature."""
    first = (getattr(method, "__doc__", None) or "").partition("\n")[0]
    found = re.fullmatch(r"\w+\.\w+\(self(.*?)\)( -> \w+)?", first)
    if not callable(method) or found is None:
        return None
    return [part.partition("=")[0].split()[-1] for part in found[1].split(",")[1:]]


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
    members = {name: of_method(getattr(cupy.ndarray, name)) for name in dir(cupy.ndarray) if name[:2] != "__"}
    json.dump({"version": cupy.__version__, "functions": tables, "ndarray": members}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
