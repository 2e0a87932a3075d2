"""EfficientNet-lite0: a network for 1,000 classes of photographs that needs 0.4 billion multiplications at 224x224.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019, in the "lite" variant:
no squeeze-and-excitation, ReLU6 in place of swish, stem and head of fixed width.

Parameters have the names of the checkpoints converted from TensorFlow (`_blocks.3._depthwise_conv.weight`), so
`net.load_state_dict(torch.load(file))` needs no renaming. Nothing here is special to minitorch2: with the two imports
changed to torch's it is the same network there.
"""

from __future__ import annotations

import minitorch2.nn as nn
import minitorch2.nn.functional as F

# (blocks, kernel, stride of the first, expansion, channels in, channels out)
STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
MEAN, STD = 127.0, 128.0  # the network's input is (pixel - MEAN) / STD for pixels 0..255, the same for all channels


class SameConv2d(nn.Conv2d):
    """Convolution without bias and with TensorFlow's "same" padding: ceil(n / stride) places along n pixels.

    The windows reach over the image by max((ceil(n/s) - 1) * s + k - n, 0); half of it goes before, the odd one after.
    With stride 1 that is (k - 1) / 2 on both sides; with stride 2 and even n the first window starts one later than
    under torch's symmetric padding.
    """

    def __init__(self, channels_in, channels_out, kernel, stride=1, groups=1):
        super().__init__(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False)

    def forward(self, input):
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        if stride == 1:
            return super().forward(input)
        sides = []
        for n in reversed(input.shape[2:]):  # F.pad counts from the last dim
            over = max((-(-n // stride) - 1) * stride + kernel - n, 0)
            sides += [over // 2, over - over // 2]
        return F.conv2d(F.pad(input, sides), self.weight, None, self.stride, 0, self.dilation, self.groups)


def batch_norm(channels):
    """With TensorFlow's settings; its momentum 0.99 is the share that is kept, torch's the share that is replaced."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class MBConv(nn.Module):
    """Widened by 1x1, filtered channel by channel, narrowed by 1x1; around it a way for what keeps its shape."""

    def __init__(self, kernel, stride, expansion, channels_in, channels_out):
        super().__init__()
        wide = channels_in * expansion
        self.widens = expansion != 1
        self.is_residual = stride == 1 and channels_in == channels_out
        if self.widens:
            self._expand_conv = SameConv2d(channels_in, wide, 1)
            self._bn0 = batch_norm(wide)
        self._depthwise_conv = SameConv2d(wide, wide, kernel, stride, groups=wide)
        self._bn1 = batch_norm(wide)
        self._project_conv = SameConv2d(wide, channels_out, 1)
        self._bn2 = batch_norm(channels_out)

    def forward(self, x):  # (N, C_in, H, W)
        y = x
        if self.widens:
            y = F.relu6(self._bn0(self._expand_conv(y)))  # (N, expansion*C_in, H, W)
        y = F.relu6(self._bn1(self._depthwise_conv(y)))  # (N, expansion*C_in, ceil(H/stride), ceil(W/stride))
        y = self._bn2(self._project_conv(y))  # (N, C_out, ceil(H/stride), ceil(W/stride)), no activation
        return x + y if self.is_residual else y


class EfficientNetLite(nn.Module):
    """The network of `stages` (see STAGES) for `num_classes` classes; 4.65 million parameters for lite0's 1,000.

    Takes (N, 3, H, W), normalised by MEAN and STD above, of any size; 224 is what it was trained with. The stochastic
    depth of the original training is left out; in evaluation there is none.

    Padding and normalisation are not in the checkpoint, but every BatchNorm has stored what it saw. Of 70 crops of
    seven photographs at 224x224, the means of all 49 layers' channels lie 0.149 stored standard deviations from the
    stored means (and the deviations differ by a factor of exp(0.110)): with symmetric padding 0.167 (0.127), with
    ImageNet's usual mean and deviation 0.253 (0.213), with pixels / 255 0.179 (0.181). CIFAR-10's images enlarged to
    128x128 say the same: 0.227 (0.192), and 0.251 (0.223), 0.299 (0.206), 0.275 (0.322).
    """

    def __init__(self, stages, num_classes, dropout):
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, stride=2)
        self._bn0 = batch_norm(32)
        self._blocks = nn.ModuleList()
        for blocks, kernel, stride, expansion, channels_in, channels_out in stages:
            self._blocks.append(MBConv(kernel, stride, expansion, channels_in, channels_out))
            for _ in range(blocks - 1):
                self._blocks.append(MBConv(kernel, 1, expansion, channels_out, channels_out))
        self._conv_head = SameConv2d(stages[-1][-1], 1280, 1)
        self._bn1 = batch_norm(1280)
        self._dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(1280, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def extract_features(self, x):  # (N, 3, H, W)
        """The last feature map, (N, 1280, ceil(H/32), ceil(W/32))."""
        x = F.relu6(self._bn0(self._conv_stem(x)))  # (N, 32, H/2, W/2)
        for block in self._blocks:
            x = block(x)
        return F.relu6(self._bn1(self._conv_head(x)))  # (N, 1280, H/32, W/32)

    def forward(self, x):  # (N, 3, H, W)
        x = self.extract_features(x).mean((2, 3))  # (N, 1280)
        return self._fc(self._dropout(x))  # (N, num_classes)


def efficientnet_lite0(num_classes=1000, dropout=0.2):
    """EfficientNet-lite0 with fresh weights; `dropout` acts before the last layer, in training."""
    return EfficientNetLite(STAGES, num_classes, dropout)
