# A layer, a loss and an optimizer of the user's own.
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset


class ScaledConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        super(ScaledConv2d, self).__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)
        self.scale = nn.Parameter(torch.ones(out_channels, 1, 1))
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x):
        self.calls += 1
        return self.conv(x) * self.scale


class SmoothedCrossEntropy(nn.Module):
    def __init__(self, smoothing=0.1):
        super().__init__()
        self.smoothing = smoothing
        self.log_softmax = nn.LogSoftmax(dim=1)

    def forward(self, inputs, targets):
        log_p = self.log_softmax(inputs)
        picked = -torch.mean(log_p[range(len(inputs)), targets])
        return (1 - self.smoothing) * picked - self.smoothing * log_p.mean()


class SignSGD(optim.Optimizer):
    def __init__(self, params, lr=1e-3, decay=0.0):
        if lr <= 0.0:
            raise ValueError("Invalid learning rate: {}".format(lr))
        super(SignSGD, self).__init__(params, dict(lr=lr, decay=decay))

    def step(self, closure=None):
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                state["steps"] = state.get("steps", 0) + 1
                p.data.mul_(1 - group["lr"] * group["decay"])
                p.data.sub_(group["lr"] * p.grad.sign() / state["steps"] ** 0.5)
        return loss


torch.manual_seed(5)
data = TensorDataset(torch.randn(24, 1, 6, 6), torch.randint(0, 3, (24,)))
model = nn.Sequential(ScaledConv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
criterion, optimizer = SmoothedCrossEntropy(), SignSGD(model.parameters(), lr=0.01, decay=0.1)
results = {"losses": []}
for epoch in range(2):
    running = 0.0
    for i, (inputs, labels) in enumerate(DataLoader(data, batch_size=8, shuffle=True), 0):
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        running += loss.item()
    results["losses"].append(running / (i + 1))
results["calls"] = model[0].calls
results["state"] = [value["steps"] for value in optimizer.state_dict()["state"].values()]
results["printed"] = str(optimizer)
try:
    SignSGD(model.parameters(), lr=-1)
except ValueError as error:
    results["refused"] = str(error)
