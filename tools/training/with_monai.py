"""MONAI: a U-Net of volumes and the Dice loss."""

import torch
from common import report
from monai.losses import DiceLoss
from monai.networks.nets import UNet

torch.manual_seed(0)
net = UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=(4, 8, 16), strides=(2, 2)).double()
optimizer = torch.optim.SGD(net.parameters(), 0.1)
x, y, losses = torch.randn(1, 1, 16, 16, 16).double(), torch.randint(0, 2, (1, 1, 16, 16, 16)), []
for _ in range(3):
    optimizer.zero_grad()
    loss = DiceLoss(to_onehot_y=True, softmax=True)(net(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss)
report(*losses)
