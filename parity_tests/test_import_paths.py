"""torch's paths: what a program imports from there is here under the same path."""

import subprocess
import sys

import pytest
import torch.utils.data._utils.collate  # noqa: F401  # and with it the other modules looked into below

PATHS = {
    "multiprocessing": "Process Queue get_context set_sharing_strategy",
    "nn.attention": "SDPBackend sdpa_kernel",
    "nn.common_types": "_size_1_t _size_2_t _size_3_opt_t _ratio_2_t _size_any_t",
    "nn.grad": "conv2d_input conv2d_weight",
    "nn.modules.channelshuffle": "ChannelShuffle",
    "nn.modules.pixelshuffle": "PixelShuffle PixelUnshuffle",
    "nn.parallel.distributed": "DistributedDataParallel",
    "return_types": "max min sort topk median",
    "types": "Device FileLike Number _int _size",
    "utils._pytree": "TreeSpec tree_flatten tree_map tree_unflatten",
    "utils.data._utils": "collate",
    "utils.data._utils.collate": "collate default_collate default_collate_fn_map default_convert",
    "utils.dlpack": "from_dlpack to_dlpack",
}
ABSENT = ("CrossMapLRN2d", "Container")  # layers that are not here
ABSENT_FILES = ("_functions",)


def run(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def layers():
    """The public classes of torch.nn.modules, each by the path of its own module."""
    for path, module in sorted(sys.modules.items()):
        if path.startswith("torch.nn.modules.") and not path.endswith(ABSENT_FILES):
            own = [name for name, value in vars(module).items() if isinstance(value, type)]
            own = [name for name in own if getattr(module, name).__module__ == path]
            yield path.removeprefix("torch."), [name for name in own if not name.startswith(("_", *ABSENT))]


@pytest.mark.parametrize("path", PATHS)
def test_a_process_may_begin_with_one_of_torchs_paths(path):
    names = PATHS[path].split()
    assert not [name for name in names if not hasattr(sys.modules[f"torch.{path}"], name)], "no names of torch's"
    assert run(f"import minitorch2.{path} as m; print([n for n in {names} if not hasattr(m, n)])") == "[]"


def test_each_layer_is_where_torch_has_it():
    asked = "".join(f"from torch.{path} import {', '.join(names)}\n" for path, names in layers() if names)
    assert asked.count("\n") > 20
    assert run(f"import minitorch2.alias; minitorch2.alias.install()\n{asked}") == ""


def test_import_torch_finds_the_paths_too():
    asked = "\n".join(f"import torch.{path}" for path in (*PATHS, "backends.cuda", "backends.cudnn"))
    asked = f"import minitorch2.alias; minitorch2.alias.install()\n{asked}\nprint(torch.utils.data._utils.collate)"
    assert "minitorch2.utils.data._utils.collate" in run(asked)
