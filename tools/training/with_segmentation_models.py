"""segmentation_models_pytorch: a U-Net over a ResNet."""

import segmentation_models_pytorch as smp
import torch
from common import report

torch.manual_seed(0)
net = smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=2).double()
optimizer = torch.optim.SGD(net.parameters(), 0.01)
x, y, losses = torch.randn(2, 1, 64, 64).double(), torch.randint(0, 2, (2, 64, 64)), []
for _ in range(3):
    optimizer.zero_grad()
    loss = smp.losses.DiceLoss("multiclass")(net(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss)
report(*losses)
