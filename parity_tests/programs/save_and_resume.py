# Train, save a checkpoint of model, optimizer and epoch, load it into new objects, go on.
import torch
import torch.nn as nn
import torch.optim as optim


class SimpleNet(nn.Module):
    def __init__(self):
        super(SimpleNet, self).__init__()
        self.fc1 = nn.Linear(64, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = torch.flatten(x, 1)
        x = torch.relu(self.fc1(x))
        return self.fc2(x)


def train(model, optimizer, steps):
    criterion = nn.CrossEntropyLoss()
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


torch.manual_seed(0)
images, labels = torch.randn(32, 1, 8, 8), torch.randint(0, 10, (32,))
model = SimpleNet()
optimizer = optim.Adam(model.parameters(), lr=0.01)
results = {"before": train(model, optimizer, 3)}
torch.save({"epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, folder / "checkpoint.pth")
results["without a break"] = train(model, optimizer, 3)

resumed = SimpleNet()
optimizer = optim.Adam(resumed.parameters())
checkpoint = torch.load(folder / "checkpoint.pth")
print(resumed.load_state_dict(checkpoint["model"]))
optimizer.load_state_dict(checkpoint["optimizer"])
results["epoch"] = checkpoint["epoch"]
results["resumed"] = train(resumed, optimizer, 3)
assert results["resumed"] == results["without a break"]
