# The features frozen and the head trained, then everything with a smaller rate for the features.
import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(3)
features = nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2))
model = nn.Sequential(features, nn.Flatten(), nn.Dropout(0.2), nn.Linear(54, 4))
for param in features.parameters():
    param.requires_grad = False
before = features[0].weight.clone()
images, labels = torch.randn(20, 1, 8, 8), torch.randint(0, 4, (20,))


def train(optimizer, steps):
    losses = []
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


trainable = filter(lambda p: p.requires_grad, model.parameters())
results = {"head": train(optim.Adam(trainable, lr=1e-2), 4)}
results["frozen"] = torch.equal(features[0].weight, before) and features[0].weight.grad is None
results["statistics move all the same"] = features[1].running_mean
features.requires_grad_(True)
optimizer = optim.SGD([{"params": features.parameters(), "lr": 1e-3}, {"params": model[3].parameters()}], lr=1e-2)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
for _ in range(2):
    results[f"all {_}"] = train(optimizer, 2)
    scheduler.step()
results["rates"] = [group["lr"] for group in optimizer.param_groups]
results["thawed"] = torch.equal(features[0].weight, before)
results["trainable"] = sum(p.numel() for p in model.parameters() if p.requires_grad)
model.eval()
with torch.no_grad():
    results["out"] = model(images)
