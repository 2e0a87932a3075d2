# Two pretrained networks as parts of a larger one, their outputs side by side; one of them stays as it is.
import torch
from torch import nn


class Part(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 5, kernel_size=3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(2)

    def forward(self, x):
        return self.pool(torch.tanh(self.conv(x))).flatten(1)


class Joined(nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second
        self.head = nn.Linear(40, 3)

    def forward(self, grey, colour):
        with torch.no_grad():
            a = self.first(grey)
        return self.head(torch.cat([a, self.second(colour)], dim=1))


torch.manual_seed(4)
torch.save({"grey": Part(1).state_dict(), "colour": Part(3).state_dict()}, folder / "parts.pth")
parts = torch.load(folder / "parts.pth", weights_only=True)
first, second = Part(1), Part(3)
first.load_state_dict(parts["grey"])
second.load_state_dict(parts["colour"])
model = Joined(first, second)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
grey, colour, target = torch.randn(6, 1, 6, 6), torch.randn(6, 3, 6, 6), torch.randn(6, 3)
results = {"losses": []}
for _ in range(4):
    loss = nn.MSELoss()(model(grey, colour), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    results["losses"].append(loss.item())
results["first has no gradient"] = first.conv.weight.grad is None
results["names"] = list(model.state_dict())
results["printed"] = str(model)
