# The MNIST network as it is often written: Dropout2d on flat activations (torch warns), log_softmax and nll_loss.
import warnings

import torch
import torch.nn as nn
import torch.optim as optim


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, 1)
        self.conv2 = nn.Conv2d(4, 8, 3, 1)
        self.dropout1 = nn.Dropout2d(0.25)
        self.dropout2 = nn.Dropout2d(0.5)
        self.fc1 = nn.Linear(8 * 16, 12)
        self.fc2 = nn.Linear(12, 10)

    def forward(self, x):
        x = nn.functional.relu(self.conv1(x))
        x = nn.functional.max_pool2d(self.conv2(x), 2)
        x = torch.flatten(self.dropout1(x), 1)
        x = nn.functional.relu(self.fc1(x))
        x = self.fc2(self.dropout2(x))
        return nn.functional.log_softmax(x, dim=1)


device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(6)
net = Net().to(device)
optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
results = {"losses": []}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    net.train()
    for step in range(4):
        data, target = torch.randn(8, 1, 12, 12).to(device), torch.randint(10, (8,)).to(device)
        optimizer.zero_grad()
        loss = nn.functional.nll_loss(net(data), target)
        loss.backward()
        optimizer.step()
        results["losses"].append("{:.5f}".format(loss.item()))
results["warned"] = sorted({(w.category.__name__, str(w.message)[:60]) for w in caught})
net.eval()
with torch.no_grad():
    output = net(torch.randn(5, 1, 12, 12))
    results["predicted"] = output.argmax(dim=1, keepdim=True)
    results["loss"] = nn.functional.nll_loss(output, torch.zeros(5, dtype=torch.long), reduction="sum").item()
