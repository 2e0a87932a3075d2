# Load pretrained weights, replace the last layer by one for another task, train; strict and unstrict loading.
import torch
import torch.nn as nn
from torch.optim import SGD


def network(classes):
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, classes))


torch.manual_seed(1)
torch.save(network(10).state_dict(), folder / "pretrained.pth")

model = network(10)
model.load_state_dict(torch.load(folder / "pretrained.pth", map_location="cpu"))
model[3] = nn.Linear(4 * 36, 3)
optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
images, labels = torch.randn(16, 1, 8, 8), torch.randint(0, 3, (16,))
losses = []
for _ in range(5):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
results = {"losses": losses}

state = torch.load(folder / "pretrained.pth")
try:
    model.load_state_dict(state)
except RuntimeError as error:
    results["another shape"] = str(error)
head = {name: state.pop(name) for name in list(state) if name.startswith("3.")}
try:
    model.load_state_dict(state)
except RuntimeError as error:
    results["missing"] = str(error)
try:
    model.load_state_dict({**state, "4.weight": head["3.weight"]}, strict=False)
except RuntimeError as error:
    results["unexpected"] = str(error)
results["unstrict"] = str(model.load_state_dict(state, strict=False))
