"""The training loop of mnist.py and cifar10.py: progress, checkpoints, going on after an interruption.

A run is a function of its seed: the order of the images comes from (seed, epoch), every other draw from the
default generator, whose state is in the checkpoint. So a run that was broken off anywhere and resumed gives
the same numbers, bit for bit, as one that was not.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

import minitorch2 as torch
from minitorch2 import metrics, viz
from minitorch2.utils.data import DataLoader, Subset, TensorDataset


class Trainer:
    """Trains `model` on `train` and tests it on `test` (TensorDatasets of images and labels).

    Its files, checkpoint and pictures, go to the folder `out`.
    """

    def __init__(self, model, optimizer, scheduler, loss, train, test, *, batch_size, epochs, seed, out, augment=None):
        self.model, self.optimizer, self.scheduler, self.loss = model, optimizer, scheduler, loss
        self.train_set, self.test_set, self.augment = train, test, augment
        self.batch_size, self.epochs, self.seed, self.out = batch_size, epochs, seed, Path(out)
        self.steps = -(-len(train) // batch_size)
        self.epoch = self.step = 0
        self.running = {"loss": 0.0, "correct": 0, "seen": 0}
        self.history: dict[str, list[float]] = {
            "train_loss": [],
            "test_loss": [],
            "train_accuracy": [],
            "test_accuracy": [],
        }
        self.seconds = 0.0
        self.stop = False
        self.checkpoint = self.out / "checkpoint.pt"
        self.out.mkdir(parents=True, exist_ok=True)

    @property
    def settings(self) -> dict:
        """What a run must share with the one it goes on from."""
        return {
            "model": type(self.model).__name__,
            "images": len(self.train_set),
            "batch_size": self.batch_size,
            "epochs": self.epochs,
            "lr": self.optimizer.defaults["lr"],
            "seed": self.seed,
        }

    def save(self) -> None:
        torch.save(
            {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scheduler": self.scheduler.state_dict(),
                "rng": torch.get_rng_state(),
                "epoch": self.epoch,
                "step": self.step,
                "running": self.running,
                "history": self.history,
                "seconds": self.seconds,
                "settings": self.settings,
            },
            self.checkpoint,
        )

    def resume(self) -> None:
        if not self.checkpoint.exists():
            raise SystemExit(f"there is nothing to go on from: {self.checkpoint} does not exist")
        state = torch.load(self.checkpoint)
        there, here = state["settings"], self.settings
        other = [f"{name} {there.get(name)}, not {value}" for name, value in here.items() if there.get(name) != value]
        if other:
            raise SystemExit(f"{self.checkpoint} is of another run: {'; '.join(other)}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["rng"])
        for name in ("epoch", "step", "running", "history", "seconds"):
            setattr(self, name, state[name])
        place = f"{self.epoch} of {self.epochs} epochs and {self.step} of {self.steps} steps done"
        print(f"going on from {self.checkpoint}: {place}")

    def fit(self) -> bool:
        """Runs to the end, or to Ctrl-C: True if it got there. Both leave a checkpoint."""
        previous = signal.signal(signal.SIGINT, self._ask_to_stop)
        images = self.epochs * len(self.train_set)
        bar = tqdm(total=images, initial=self._images_seen(), unit="img", dynamic_ncols=True)
        try:
            while self.epoch < self.epochs:
                if not self._train_epoch(bar):
                    bar.close()
                    print(f"interrupted; the same command with --resume goes on from {self.checkpoint}")
                    return False
        finally:
            signal.signal(signal.SIGINT, previous)
            bar.close()
        return True

    def _ask_to_stop(self, *_) -> None:
        if self.stop:
            raise KeyboardInterrupt  # the second time: at once
        self.stop = True  # after this step, so that the checkpoint holds whole steps

    def _images_seen(self) -> int:
        return self.epoch * len(self.train_set) + min(self.step * self.batch_size, len(self.train_set))

    def _batches(self):
        """This epoch's batches from the current step on."""
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        order = torch.randperm(len(self.train_set), generator=generator)
        rest = Subset(self.train_set, order.tolist()[self.step * self.batch_size :])
        return DataLoader(rest, batch_size=self.batch_size, generator=torch.Generator())

    def _train_epoch(self, bar) -> bool:
        self.model.train()
        for images, labels in self._batches():
            started = time.perf_counter()
            if self.augment is not None:
                images = self.augment(images)
            self.optimizer.zero_grad()
            output = self.model(images)
            loss = self.loss(output, labels)
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            self.seconds += time.perf_counter() - started
            self._count(output, loss, labels, bar)
            self.step += 1
            if self.stop:
                self.save()
                return False
        seen = self.running["seen"]
        test_loss, test_accuracy, _ = self.evaluate()
        for name, value in (
            ("train_loss", self.running["loss"] / seen),
            ("train_accuracy", self.running["correct"] / seen),
            ("test_loss", test_loss),
            ("test_accuracy", test_accuracy),
        ):
            self.history[name].append(value)
        self.epoch, self.step, self.running = self.epoch + 1, 0, {"loss": 0.0, "correct": 0, "seen": 0}
        self.save()
        train_loss = self.history["train_loss"][-1]
        bar.write(
            f"epoch {self.epoch}: train loss {train_loss:.4f}, test loss {test_loss:.4f}, "
            f"test accuracy {test_accuracy:.2%}"
        )
        return True

    def _count(self, output, loss, labels, bar) -> None:
        n = len(labels)
        self.running["loss"] += loss.item() * n
        self.running["correct"] += int((output.argmax(1) == labels).sum())
        self.running["seen"] += n
        bar.set_postfix(
            loss=f"{self.running['loss'] / self.running['seen']:.4f}",
            accuracy=f"{self.running['correct'] / self.running['seen']:.2%}",
            refresh=False,
        )
        bar.update(n)

    @torch.no_grad()
    def evaluate(self) -> tuple[float, float, np.ndarray]:
        """(mean loss, accuracy, predicted classes) on the test set."""
        self.model.eval()
        total, predicted = 0.0, []
        for images, labels in DataLoader(self.test_set, batch_size=500, generator=torch.Generator()):
            output = self.model(images)
            total += self.loss(output, labels).item() * len(labels)
            predicted.append(output.argmax(1).numpy())
        guesses = np.concatenate(predicted)
        return total / len(guesses), float((guesses == self.test_set.tensors[1].numpy()).mean()), guesses

    def report(self, title, classes, pictures) -> float:
        """Draws curves, confusion matrix and mistakes and says where everything is; returns the accuracy."""
        _, accuracy, guesses = self.evaluate()
        labels = self.test_set.tensors[1]
        matrix = metrics.confusion_matrix(guesses, labels, len(classes))
        scores = metrics.precision_recall_f1(guesses, labels, num_classes=len(classes), average="macro")
        viz.plot_curves(self.history, self.out / "curves.png", title=title)
        viz.plot_confusion_matrix(matrix, classes, self.out / "confusion_matrix.png")
        viz.plot_misclassified(pictures, labels, guesses, self.out / "mistakes.png", classes=classes)
        torch.save(self.model.state_dict(), self.out / "model.pt")
        images = self.epochs * len(self.train_set)
        print(
            f"\n{accuracy:.2%} of {len(guesses):,} test images right (macro F1 {scores.f1:.4f}); "
            f"{self.seconds:.0f} s of training, {images / self.seconds:,.0f} images/s"
        )
        for name, what in (
            ("checkpoint.pt", "all that --resume needs"),
            ("model.pt", "the weights (torch.load opens them too)"),
            ("curves.png", "loss and accuracy by epoch"),
            ("confusion_matrix.png", "which class is taken for which"),
            ("mistakes.png", "test images it got wrong"),
        ):
            print(f"  {self.out / name}: {what}")
        return accuracy


def share(text: str) -> float:
    """The value of --fraction."""
    fraction = float(text)
    if not 0 < fraction <= 1:
        raise ValueError(text)
    return fraction


def keep(dataset, fraction: float):
    """The data set with the first `fraction` of its images, at least one."""
    count = max(1, round(len(dataset) * fraction))
    dataset.data, dataset.targets = dataset.data[:count], dataset.targets[:count]
    return dataset


def normalised(dataset, mean, std) -> TensorDataset:
    """The data set's images as floats (N, C, H, W), normalised, with their labels."""
    x = torch.as_tensor(dataset.data)
    x = x.unsqueeze(1) if x.ndim == 3 else x.permute(0, 3, 1, 2)
    shape = (1, -1, 1, 1)
    x = (x.float() / 255 - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)
    return TensorDataset(x.contiguous(), torch.as_tensor(dataset.targets))
