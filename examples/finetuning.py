"""What finetune_imagenet_to_cifar.py is made of: features kept on disk, and training that stops when it is best."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from tqdm import tqdm

import minitorch2 as torch
import minitorch2.nn.functional as F
from minitorch2 import metrics


@torch.no_grad()
def in_batches(function, inputs, title=None, size=64):
    """function(inputs), a batch at a time."""
    starts = tqdm(range(0, len(inputs), size), title, unit="batch", leave=False, disable=title is None)
    return torch.cat([function(inputs[i : i + size]) for i in starts])


def computed_once(folder, identity, compute):
    """(what compute() gives, the seconds it took when it was computed), kept in a file of `folder`.

    The file is found by the content of what the result depends on: `identity`, a list of bytes.
    """
    digest = hashlib.sha256()
    for part in identity:
        digest.update(hashlib.sha256(part).digest())
    file = Path(folder) / f"{digest.hexdigest()[:20]}.pt"
    if not file.exists():
        started = time.perf_counter()
        result = compute()
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"result": result, "seconds": time.perf_counter() - started}, file)
    state = torch.load(file)
    return state["result"], state["seconds"]


def score(logits, labels):
    """(cross-entropy, accuracy)"""
    return F.cross_entropy(logits, labels).item(), metrics.accuracy(logits, labels)


class Fit:
    """Trains `net` in stages. After each it has the weights of the best epoch so far, which are in `best` as well.

    `history` has a number for each epoch of all stages, `seconds` is the time spent in them.
    """

    def __init__(self, net, labels, held_labels, best, *, batch_size, patience):
        self.net, self.labels, self.held_labels, self.best = net, labels, held_labels, best
        self.batch_size, self.patience, self.seconds = batch_size, patience, 0.0
        self.history: dict[str, list[float]] = {"train_loss": [], "val_loss": [], "val_accuracy": []}

    def stage(self, name, forward, held, optimizer, epochs):
        """At most so many epochs, in which the rates fall to 0; fewer, when `patience` of them in a row bring nothing.

        forward(indices) gives the logits of training images, held() those of the images that validate.
        """
        started, (_, best), since = time.perf_counter(), score(held(), self.held_labels), 0
        torch.save(self.net.state_dict(), self.best)  # no epoch may be better than what there is
        steps = epochs * -(-len(self.labels) // self.batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for epoch in range(1, epochs + 1):
            train_loss = self._epoch(f"{name}, epoch {epoch}", forward, optimizer, schedule)
            loss, right = score(held(), self.held_labels)
            for key, value in (("train_loss", train_loss), ("val_loss", loss), ("val_accuracy", right)):
                self.history[key].append(value)
            print(f"  {name}, epoch {epoch}: train loss {train_loss:.4f}, validation {loss:.4f}, {right:.2%} right")
            since += 1
            if right > best:
                best, since = right, 0
                torch.save(self.net.state_dict(), self.best)
            if since >= self.patience:
                break
        self.net.load_state_dict(torch.load(self.best))
        self.seconds += time.perf_counter() - started

    def _epoch(self, title, forward, optimizer, schedule):
        """The mean loss of an epoch."""
        total = 0.0
        for at in tqdm(torch.randperm(len(self.labels)).split(self.batch_size), title, unit="batch", leave=False):
            optimizer.zero_grad()
            loss = F.cross_entropy(forward(at), self.labels[at])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(at)
        return total / len(self.labels)
