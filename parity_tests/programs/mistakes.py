# What goes wrong in such programs, and the error that comes.
import torch
import torch.nn as nn


def error_of(action):
    try:
        return action()
    except Exception as error:
        return type(error).__name__, str(error)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(4 * 9, 2)

    def forward(self, x):
        x = self.conv(x)
        return self.fc(x.view(-1, 4 * 9))


class NoInit(nn.Module):
    def __init__(self):
        self.fc = nn.Linear(2, 2)


class UsesF(nn.Module):
    def forward(self, x):
        return F.relu(x)  # never imported, which is the mistake


torch.manual_seed(7)
net = Net()
results = {
    "images of another size": error_of(lambda: net(torch.randn(2, 1, 10, 10))),
    "no batch of images": error_of(lambda: net(torch.randn(5, 5))),
    "two channels": error_of(lambda: net(torch.randn(2, 2, 5, 5))),
    "features of another size": error_of(lambda: net.fc(torch.randn(3, 7))),
    "no super().__init__()": error_of(NoInit),
    "no import": error_of(lambda: UsesF()(torch.ones(1))),
    "no forward": error_of(lambda: nn.Module()(torch.ones(1)))[0],
    "labels of another length": error_of(lambda: nn.CrossEntropyLoss()(torch.randn(4, 3), torch.tensor([0, 1]))),
    "a label too large": error_of(lambda: nn.CrossEntropyLoss()(torch.randn(1, 3), torch.tensor([3]))),
    "labels as floats": error_of(lambda: nn.CrossEntropyLoss()(torch.randn(2, 3), torch.tensor([0.0, 1.0])))[0],
    "backward twice": error_of(lambda: [loss.backward() for loss in [net(torch.randn(1, 1, 5, 5)).sum()] * 2])[0],
    "backward of many": error_of(lambda: net(torch.randn(1, 1, 5, 5)).backward()),
    "no parameters": error_of(lambda: torch.optim.SGD([], lr=0.1)),
    "a generator used up": error_of(lambda: torch.optim.Adam(iter(()))),
    "integers that need gradients": error_of(lambda: torch.arange(3, requires_grad=True)),
    "a missing file": error_of(lambda: torch.load(folder / "pretrained_model.pth"))[0],
    "no state dict": error_of(lambda: net.load_state_dict([1]))[0],
    "a list that is no module": error_of(lambda: nn.Sequential([nn.Linear(2, 2)])),
    "a tensor's truth": error_of(lambda: bool(torch.ones(2))),
    "numpy of what needs a gradient": error_of(lambda: net.fc.weight.numpy()),
}
torch.save(nn.Sequential(nn.Linear(2, 2)), folder / "whole.pth")
results["a whole model"] = error_of(lambda: torch.load(folder / "whole.pth"))[0]
