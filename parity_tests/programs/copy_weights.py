# Weights copied by hand from a trained model into a larger one, layer by layer and slice by slice.
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 5)
        self.conv2 = nn.Conv2d(4, width, 3)
        self.fc = nn.Linear(width * 9, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.relu(self.conv2(x))
        return self.fc(x.view(x.size(0), -1))


torch.manual_seed(2)
pretrained, model = Model(6), Model(8)
model.conv1.weight.data.copy_(pretrained.conv1.weight.data)
model.conv1.bias.data.copy_(pretrained.conv1.bias.data)
with torch.no_grad():
    model.conv2.weight[:6] = pretrained.conv2.weight
    model.conv2.bias[:6].copy_(pretrained.conv2.bias)
    model.fc.weight.zero_()
    model.fc.weight.view(5, 8, 9)[:, :6] = pretrained.fc.weight.view(5, 6, 9)
    model.fc.bias.copy_(pretrained.fc.bias)
x = torch.randn(3, 1, 14, 14)
results = {"same": torch.allclose(model(x), pretrained(x), atol=1e-6), "out": model(x)}
model(x).square().mean().backward()
results["grad"] = model.conv1.weight.grad
twin = copy.deepcopy(model)
twin.load_state_dict(pretrained.state_dict() | {k: v for k, v in model.state_dict().items() if "conv1" not in k})
results["twin"] = twin(x)
try:
    model.fc.weight.data.copy_(pretrained.fc.weight.data)
except RuntimeError as error:
    results["another shape"] = str(error)
try:
    model.conv1.weight.copy_(pretrained.conv1.weight)
except RuntimeError as error:
    results["in the graph"] = str(error)
