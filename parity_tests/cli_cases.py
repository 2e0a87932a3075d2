"""What the tests of the command line share: running it, and what is pickled in its files."""

import json

import torch

from minitorch2 import cli


def runner(capsys, folder, monkeypatch):
    """Runs the command line in `folder`: (exit status, stdout, stderr)."""
    monkeypatch.chdir(folder)

    def run(*arguments):
        status = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert captured.err.count("\n") <= 1 and "Traceback" not in captured.err
        assert (captured.out + captured.err).replace("\n", "").isprintable()
        return status, captured.out, captured.err

    return run


def reporter(command):
    """The report on a file as JSON says it; the exit status must be 0, or the one given."""

    def inspect(path, *options, status=0):
        got, out, err = command("inspect", path, "--json", *options)
        assert got == status, out + err
        return json.loads(out)

    return inspect


class Attack:
    """Pickled as a call of anything."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


class Net(torch.nn.Module):
    """A module of a class minitorch2 does not have: nested, shared, with a buffer that is not saved."""

    def __init__(self):
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
        self.head = self.body[0]
        self.register_buffer("scratch", torch.ones(2), persistent=False)
        self.size = 7
