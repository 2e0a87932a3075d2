"""Makes minitorch2/vision/datasets/mini from the full MNIST; with --check says whether it is as made.

    python tools/make_mini_mnist.py [--root data] [--check]

The choice: of each digit the first 500 training images and the first 100 test images, in MNIST's own order.
The idx content is reproduced byte for byte everywhere; the .gz around it byte for byte by the zlib that wrote
it, while other implementations of deflate may pack the same content differently (--check compares the
content).
"""

from __future__ import annotations

import argparse
import gzip
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "kernels")]

from minitorch2.vision.datasets import MNIST  # noqa: E402
from minitorch2.vision.datasets.idx import idx_bytes  # noqa: E402

PER_DIGIT = {"train": 500, "t10k": 100}


def mini_files(root: str) -> dict[str, bytes]:
    """File name -> idx content."""
    files = {}
    for part, count in PER_DIGIT.items():
        full = MNIST(root, train=part == "train", download=True)
        labels = full.targets.numpy()
        chosen = np.sort(np.concatenate([np.flatnonzero(labels == digit)[:count] for digit in range(10)]))
        files[f"{part}-images-idx3-ubyte.gz"] = idx_bytes(full.data.numpy()[chosen])
        files[f"{part}-labels-idx1-ubyte.gz"] = idx_bytes(labels[chosen].astype(np.uint8))
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=str(ROOT / "data"), help="folder of the full MNIST (default: data)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the content differs")
    args = parser.parse_args()
    folder = ROOT / "minitorch2" / "vision" / "datasets" / "mini"
    wrong = 0
    for name, content in mini_files(args.root).items():
        path = folder / name
        if args.check:
            same = path.is_file() and gzip.decompress(path.read_bytes()) == content
            wrong += not same
            print(f"{name}: {'as made' if same else 'DIFFERS'}")
        else:
            path.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))
            print(f"{name}: {path.stat().st_size} bytes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
