"""One framework's side of gpu.py: a process that builds programs, times them and answers questions.

A question is a line of JSON on the standard input, {"do": a method of Worker, its arguments}; the answer is a line of
JSON on the standard output, with "error" in it where the method raised. Both frameworks run this same text; what
differs between them is how a step is captured, and where versions and settings are kept.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import json
import os
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from gpu_programs import GPU_PROGRAMS, SMALL
from workloads import WARM_UP, optimizer_of, step_on

FEWEST, MOST = 5, 500  # steps that are timed in one go
COMPARED = 4  # steps whose losses both frameworks must agree on
MIB = 2**20


class HostEvent:
    """torch.cuda.Event by the host's clock, for a run on the CPU."""

    def record(self) -> None:
        self.at = time.perf_counter()

    def elapsed_time(self, end: HostEvent) -> float:
        return (end.at - self.at) * 1e3


class Worker:
    def __init__(self, framework: str, device: str):
        self.ours, self.device = framework == "minitorch2", device
        self.torch: Any = importlib.import_module(framework)
        for part in ("nn", "optim", "cuda"):
            importlib.import_module(f"{framework}.{part}")
        self.on_gpu = device != "cpu"
        if self.on_gpu and not self.torch.cuda.is_available():
            raise RuntimeError(f"{framework} finds no GPU: its cuda.is_available() is False")
        backends = self.torch.backends
        backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = False  # float32 means float32, in both
        backends.cudnn.benchmark = True
        if self.ours and self.on_gpu:  # its kernels are registered, and its context made, by the first array
            self.torch.zeros(1, device=device)

    def about(self) -> dict[str, Any]:
        """Version and settings."""
        backends = self.torch.backends
        return {
            "version": self.torch.__version__,
            "settings": {
                "cuda.matmul.allow_tf32": backends.cuda.matmul.allow_tf32,
                "cudnn.allow_tf32": backends.cudnn.allow_tf32,
                "cudnn.benchmark": backends.cudnn.benchmark,
                "cudnn.version": backends.cudnn.version() if self.on_gpu else None,
                "cuda": None if self.ours else self.torch.version.cuda,
            },
        }

    def build(self, name: str, start: str, write: bool, small: bool) -> dict[str, Any]:
        """Makes the program; its weights and batches are written to the file `start`, or read from there."""
        torch = self.torch
        self.forget()
        torch.manual_seed(0)
        self.program = GPU_PROGRAMS[name](torch, **(SMALL.get(name, {}) if small else {}))
        net, batches = self.program.net, self.program.batches
        if write:
            arrays = {f"weight.{key}": value.detach().numpy() for key, value in net.state_dict().items()}
            for i, j in itertools.product(range(len(batches)), range(len(batches[0]))):
                arrays[f"batch.{i}.{j}"] = batches[i][j].numpy()
            np.savez(start, **arrays)
        with np.load(start) as arrays:
            prefix = "weight."
            self.start = {
                key.removeprefix(prefix): torch.from_numpy(arrays[key]) for key in arrays if key.startswith(prefix)
            }
            self.batches = [
                tuple(torch.from_numpy(arrays[f"batch.{i}.{j}"]).to(self.device) for j in range(len(batches[0])))
                for i in range(len(batches))
            ]
        self.program.batches = []
        net.to(self.device)
        net.load_state_dict(self.start)
        return {
            "parameters": sum(p.numel() for p in net.parameters()),
            "random": any(type(module).__name__ == "Dropout" for module in net.modules()),
        }

    def prepare(self, mode: str) -> dict[str, Any]:
        """Makes the step, and does it a few times, which compiles kernels; "captured" makes a CUDA graph of it."""
        started = time.perf_counter()
        self.drop()
        if self.on_gpu:
            self.torch.cuda.empty_cache()
            self.torch.cuda.reset_peak_memory_stats()
        self.captured = mode == "captured"
        adam = self.program.optimizer is not None and self.program.optimizer[0].startswith("Adam")
        more = {"capturable": True} if self.captured and adam else {}
        self.optimizer = optimizer_of(self.torch, self.program, **more)
        self.step = step_on(self.torch, self.program, self.optimizer)
        if self.captured:
            self.step = self.capture(self.step)
        self.turns = itertools.cycle(self.batches)
        for _ in range(2 * WARM_UP):  # ours runs the step as it is for the first calls and captures it then
            self.step(*next(self.turns))
        self.wait()
        return {"seconds": time.perf_counter() - started}

    def capture(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """The same step as a replay of a CUDA graph that copies a batch into place first."""
        if self.ours:
            return self.torch.cuda.capture_step(step, *self.batches[0])
        cuda = self.torch.cuda
        places = [value.clone() for value in self.batches[0]]
        side = cuda.Stream()
        side.wait_stream(cuda.current_stream())
        with cuda.stream(side):
            for _ in range(WARM_UP):
                step(*places)
        cuda.current_stream().wait_stream(side)
        self.program.net.zero_grad(set_to_none=True)
        graph = cuda.CUDAGraph()
        with cuda.graph(graph):
            loss = step(*places)

        def replay(*batch: Any) -> Any:
            for place, value in zip(places, batch, strict=True):
                place.copy_(value)
            graph.replay()
            return loss

        return replay

    def time(self, seconds: float) -> dict[str, Any]:
        """The median step between two events, the host never waiting in between, and the wall clock's mean."""
        started = time.perf_counter()
        for _ in range(WARM_UP):
            self.step(*next(self.turns))
        self.wait()
        steps = min(max(int(seconds * WARM_UP / (time.perf_counter() - started)), FEWEST), MOST)
        make = (lambda: self.torch.cuda.Event(enable_timing=True)) if self.on_gpu else HostEvent
        events = [make() for _ in range(steps + 1)]
        started = time.perf_counter()
        events[0].record()
        for event in events[1:]:
            self.step(*next(self.turns))
            event.record()
        self.wait()
        wall = (time.perf_counter() - started) / steps
        times = [a.elapsed_time(b) for a, b in itertools.pairwise(events)]
        low, median, high = statistics.quantiles(times, n=4)
        mean = events[0].elapsed_time(events[-1]) / steps
        return {"ms": median, "ms_quartiles": [low, high], "mean_ms": mean, "wall_ms": wall * 1e3, "steps": steps}

    def memory(self) -> dict[str, Any]:
        """The most that tensors held, and what the allocator keeps, since `prepare`; MiB."""
        if not self.on_gpu:
            return {"peak_mib": None, "reserved_mib": None}
        cuda = self.torch.cuda
        return {"peak_mib": cuda.max_memory_allocated() / MIB, "reserved_mib": cuda.memory_reserved() / MIB}

    def losses(self) -> dict[str, Any]:
        """Of the first steps from the start; eager ones without dropout, while a graph keeps what it was made with."""
        self.program.net.load_state_dict(self.start)
        dropouts = [] if self.captured else [m for m in self.program.net.modules() if type(m).__name__ == "Dropout"]
        probabilities = [module.p for module in dropouts]
        for module in dropouts:
            module.p = 0.0
        if self.captured:
            self.clear_optimizer()
        else:
            self.optimizer = optimizer_of(self.torch, self.program)
            self.step = step_on(self.torch, self.program, self.optimizer)
        batches = itertools.islice(itertools.cycle(self.batches), COMPARED)
        losses = [self.step(*batch).clone().item() for batch in batches]
        for module, p in zip(dropouts, probabilities, strict=True):
            module.p = p
        return {"losses": losses}

    def clear_optimizer(self) -> None:
        """The state as it is before the first step, in the tensors that the graph writes to."""
        states = self.optimizer.state.values() if self.optimizer is not None else ()
        with self.torch.no_grad():
            for value in itertools.chain.from_iterable(state.values() for state in states):
                if isinstance(value, self.torch.Tensor):
                    value.zero_()

    def drop(self) -> None:
        """Forgets step, optimizer and gradients."""
        self.step, self.optimizer, self.captured = None, None, False
        if getattr(self, "program", None) is not None:
            self.program.net.zero_grad(set_to_none=True)
        if self.on_gpu:
            gc.collect()

    def forget(self) -> None:
        """Forgets the program, too, and gives cached memory back."""
        self.program = self.start = self.batches = self.turns = None
        self.drop()
        if self.on_gpu:
            self.torch.cuda.empty_cache()

    def wait(self) -> None:
        if self.on_gpu:
            self.torch.cuda.synchronize()


def main() -> int:
    framework, device = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    worker = None
    for line in sys.stdin:
        question = json.loads(line)
        action = question.pop("do")
        try:
            if worker is None:
                worker = Worker(framework, device)
                gc.freeze()  # modules and functions stay: looking through them again costs time at each collection
            answer = getattr(worker, action)(**question)
        except Exception as error:
            frames = traceback.format_exc().splitlines()[-8:]
            message = " ".join(str(error).split())
            answer = {"error": f"{type(error).__name__}: {message[:500]}", "traceback": frames}
        print(json.dumps(answer), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
