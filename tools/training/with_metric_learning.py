"""pytorch-metric-learning: losses over pairs and triplets that a miner picks."""

import torch
from common import data, report
from pytorch_metric_learning import losses, miners

x, y = data(64)
net = torch.nn.Linear(10, 8)
arc, triplets, miner = losses.ArcFaceLoss(2, 8), losses.TripletMarginLoss(), miners.MultiSimilarityMiner()
optimizer, seen = torch.optim.Adam([*net.parameters(), *arc.parameters()], 1e-2), []
for _ in range(4):
    optimizer.zero_grad()
    embedded = net(x)
    loss = triplets(embedded, y, miner(embedded, y)) + arc(embedded, y)
    loss.backward()
    optimizer.step()
    seen.append(loss)
report(*seen, losses.ContrastiveLoss()(net(x), y))
