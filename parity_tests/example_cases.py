"""What the tests of the examples share: images in a downloaded set's place, and a look at the pictures drawn."""

import numpy as np
from PIL import Image


class Colours:
    """In CIFAR-10's place: noise whose mean is the class, 120 to train and 30 to test."""

    classes = ("dark", "grey", "bright")

    def __init__(self, root, train=True, download=False):
        numpy = np.random.default_rng(train)
        self.targets = numpy.integers(0, 3, 120 if train else 30).tolist()
        noise = numpy.integers(0, 60, (len(self), 32, 32, 3))
        self.data = (noise + 90 * np.array(self.targets).reshape(-1, 1, 1, 1)).astype(np.uint8)

    def __len__(self):
        return len(self.targets)


def assert_pictures(folder, *names):
    for name in names:
        with Image.open(folder / name) as picture:
            assert picture.format == "PNG" and len(np.unique(np.asarray(picture.convert("L")))) > 10
