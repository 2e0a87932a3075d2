"""Promises about the source tree that no other test can see: layers, file sizes, clean text, a light import.

A failure names the file and the line. Where a new module is the cause, give it its place in LAYERS below.
"""

import ast
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"minitorch2": ROOT / "minitorch2", "minitorch2_kernels": ROOT / "kernels" / "minitorch2_kernels"}

# Lowest first: a module may import its own unit and those before it, never one after it. The longest name
# that fits decides, so a part of a package can stand lower than the package.
LAYERS = (
    "minitorch2_kernels",
    "minitorch2.version",
    "minitorch2.torch_version",
    "minitorch2.utils.hooks",  # the handle a hook is removed by: knows of no tensor
    "minitorch2.core",
    "minitorch2.ops",
    "minitorch2.autograd",
    "minitorch2.printing",
    "minitorch2.settings",
    "minitorch2.compiler",
    "minitorch2.__future__",
    "minitorch2.tensor",
    "minitorch2.legacy",
    "minitorch2.types",
    "minitorch2.multiprocessing",
    "minitorch2.creation",
    "minitorch2.checks",
    "minitorch2.fft",
    "minitorch2.windows",
    "minitorch2.functions",
    "minitorch2.foreach",
    "minitorch2.signal",
    "minitorch2.linalg",
    "minitorch2.special",
    "minitorch2.random",
    "minitorch2.nn",
    "minitorch2.native",
    "minitorch2.native_layers",
    "minitorch2.optim",
    "minitorch2.distributions",
    "minitorch2.amp",
    "minitorch2.cpu",
    "minitorch2.cuda",
    "minitorch2.accelerator",
    "minitorch2.profiler",
    "minitorch2.__config__",
    "minitorch2.jit",
    "minitorch2.fx",
    "minitorch2.onnx",
    "minitorch2.export",
    "minitorch2.overrides",
    "minitorch2.library",
    "minitorch2._C",
    "minitorch2._dynamo",
    "minitorch2._subclasses",
    "minitorch2.utils",
    "minitorch2._utils",
    "minitorch2.func",
    "minitorch2.vision",
    "minitorch2.serialization",
    "minitorch2.hub",
    "minitorch2.utils.model_zoo",  # a name of hub's
    "minitorch2.bridge",
    "minitorch2.metrics",
    "minitorch2.viz",
    "minitorch2.testing",
    "minitorch2.distributed",
    "minitorch2.alias",
    "minitorch2.cli",
    "minitorch2.__main__",
    "minitorch2",
)
MAX_LINES = 450


class Import(NamedTuple):
    """One import statement: where it stands, what it names, and whether importing the module runs it."""

    module: str
    where: str
    target: str
    at_module_level: bool


def module_files():
    """(dotted name, path) of every module of the product."""
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(module_files())


def names_in(node: ast.stmt | ast.expr, module: str, is_package: bool) -> list[str]:
    """The modules an import statement, or a call of import_module with a literal, asks for."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = module.split(".")[: None if is_package else -1]
        base = base[: len(base) - max(node.level - 1, 0)] if node.level else []
        source = ".".join([*base, *([node.module] if node.module else [])])
        # `from package import name` asks for a module where there is one of that name, else for the package.
        return [f"{source}.{a.name}" if f"{source}.{a.name}" in MODULES else source for a in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
            return [node.args[0].value]
    return []


def imports_of(module: str, path: Path) -> list[Import]:
    found = []

    def visit(node, at_module_level):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return  # for the type checker alone; never runs
        for target in names_in(node, module, path.name == "__init__.py"):
            where = f"{path.relative_to(ROOT)}:{node.lineno}"
            found.append(Import(module, where, target, at_module_level))
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, at_module_level and not inside)

    visit(ast.parse(path.read_text(encoding="utf-8")), True)
    return found


IMPORTS = [entry for module, path in MODULES.items() for entry in imports_of(module, path)]


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def layer(module: str) -> int:
    # The bare "minitorch2" is the top layer and stands for its __init__.py alone.
    fitting = [unit for unit in LAYERS if unit == module or (unit != "minitorch2" and is_within(module, unit))]
    assert fitting, f"{module} has no place in LAYERS of {Path(__file__).name}: put it where it belongs"
    return LAYERS.index(max(fitting, key=len))


def test_every_module_has_a_layer():
    for module in MODULES:
        layer(module)


# Functions of minitorch2.creation and minitorch2.random that make a tensor where they are told to, and callers that
# rightly do not say where.
MAKERS = {"arange", "as_tensor", "empty", "eye", "full", "linspace", "ones", "scalar_tensor", "tensor", "zeros"}
MAKERS |= {"rand", "randint", "randn", "randperm"}
NOWHERE_IN_PARTICULAR = {
    "minitorch2.nn.init": "sparse_ draws which rows on the CPU, as torch does",
    "minitorch2.nn.utils.prune": "slices are drawn on the CPU, as in torch, and then moved",
    "minitorch2.nn.parameter": "Parameter() and UninitializedParameter() of nothing",
    "minitorch2.nn.utils.clip_grad": "the norm of no gradients",
    "minitorch2.optim._parameterwise": "steps are counted on the CPU, or where the default device is, as in torch",
}


def test_layers_say_where_their_tensors_go():
    """What a layer, a loss or a distribution makes lies beside what it was given: a forgotten `device=` works on the
    CPU, and fails on a GPU only where that line runs."""
    forgotten = []
    for module, path in MODULES.items():
        if module.split(".")[1:2] not in (["nn"], ["optim"], ["distributions"], ["amp"]):
            continue
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in MAKERS:
                told = any(keyword.arg in ("device", None) for keyword in call.keywords)
                if not told and module not in NOWHERE_IN_PARTICULAR:
                    forgotten.append(f"{path.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)}")
    assert not forgotten, "made on the CPU whatever they are used with:\n" + "\n".join(forgotten)


def test_imports_point_downwards():
    # Late imports inside functions count as well: they only hide a wrong direction.
    wrong = [
        f"{entry.where}: {LAYERS[layer(entry.module)]} imports {entry.target}, which is above it"
        for entry in IMPORTS
        if any(is_within(entry.target, package) for package in PACKAGES) and layer(entry.target) > layer(entry.module)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_import_cycles():
    """Within one layer the order is free, but there must be one in which no module comes too early."""
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for entry in IMPORTS:
        if entry.at_module_level and entry.target in MODULES and entry.target != entry.module:
            graph[entry.module].add(entry.target)
    done: set[str] = set()

    def visit(module, trail):
        assert module not in trail, "cycle: " + " -> ".join([*trail[trail.index(module) :], module])
        if module not in done:
            for target in graph[module]:
                visit(target, [*trail, module])
            done.add(module)

    for module in graph:
        visit(module, [])


def test_the_product_does_not_import_torch():
    """Only the bridge to it may, and only inside a function."""
    wrong = [
        entry.where
        for entry in IMPORTS
        if is_within(entry.target, "torch")
        and (entry.at_module_level or not is_within(entry.module, "minitorch2.bridge"))
    ]
    assert not wrong, "\n".join(wrong)


def text_files() -> list[Path]:
    """What is or would be committed, by git; without git (an unpacked sdist) there is nothing to ask."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8000]]


def lines_matching(pattern: str, paths) -> list[str]:
    expression = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if expression.search(line)
    ]


def source_files() -> list[Path]:
    return [path for path in text_files() if path.suffix in (".py", ".cu", ".cuh")]


def test_files_stay_readable_in_one_sitting():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in source_files()}
    too_long = [f"{path.relative_to(ROOT)}: {n} lines" for path, n in lengths.items() if n > MAX_LINES]
    assert not too_long, f"over {MAX_LINES} lines; which of their ideas moves out?\n" + "\n".join(too_long)


def test_no_machine_paths():
    # A one-letter class keeps a pattern from finding itself here.
    here = [re.escape(str(path)) + "/" for path in (ROOT, Path.home()) if len(path.parts) > 1]
    found = lines_matching(r"(?<![\w./-])(" + "|".join([*here, "/hom[e]/\\w", "/User[s]/\\w"]) + ")", text_files())
    assert not found, "\n".join(found)


def test_no_package_index_is_named():
    named = r"--(extra-)?index[-]url|--find[-]links|--registr[y]|pypi[.]org|pytorch[.]org/whl"
    found = lines_matching(named, text_files())
    assert not found, "\n".join(found)


def test_nothing_is_left_unfinished():
    found = lines_matching(r"\b(TOD[O]|FIXM[E]|XX[X])\b|NotImplementedErro[r](\(\s*\))?\s*$", source_files())
    assert not found, "\n".join(found)


HEAVY = {"torch", "matplotlib", "PIL", "tqdm", "numba", "cupy", "scipy", "safetensors", "ml_dtypes"}
PROBE = """
import sys, time
start = time.perf_counter()
import numpy
middle = time.perf_counter()
import minitorch2
end = time.perf_counter()
print(middle - start, end - middle, *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def import_probe(folder) -> tuple[float, float, set[str]]:
    """Seconds for `import numpy`, seconds more for `import minitorch2`, and all top-level modules loaded.

    Bytecode is kept in `folder`, whatever the environment says: the second import compiles nothing."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    bytecode = {"PYTHONPYCACHEPREFIX": str(folder), "PYTHONDONTWRITEBYTECODE": ""}
    result = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=folder,
        env=os.environ | bytecode | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    numpy_seconds, own_seconds, *modules = result.stdout.split()
    return float(numpy_seconds), float(own_seconds), set(modules)


def test_import_is_light(tmp_path):
    """NumPy's import is the yardstick: measured in the same process, it is as busy as the machine is."""
    runs = [import_probe(tmp_path) for _ in range(7)]
    extra = runs[0][2] & HEAVY
    assert not extra, f"import minitorch2 also imports {sorted(extra)}; import them where they are used"
    ratio = statistics.median(own / numpy for numpy, own, _ in runs)
    # About 1.3 here, a fifth of it numpy.random, which NumPy itself imports late; 3 is somebody's table.
    assert ratio < 3, f"import minitorch2 costs {ratio:.2f} times what `import numpy` costs, on top of it"
