"""The networks of ganx in PyTorch, under the published key names: what peers.py and steps_torch.py
compare with. Those of pix2pix, CycleGAN and StarGAN are the definitions that make the tests' fixtures
(tests/reference); those of super-resolution stand here."""
import os
import sys

import torch
from torch import nn
from torch.nn import functional as F

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'reference'))
from make_families import NETS  # noqa: E402

CONVOLUTIONS = nn.Conv2d, nn.ConvTranspose2d


def conv(i, o, k=3, bias=True):
    return nn.Conv2d(i, o, k, 1, k // 2, bias=bias)


class Srvgg(nn.Module):
    """Real-ESRGAN's SRVGGNetCompact: body.{0,2,...} convolutions, body.{1,3,...} PReLUs."""

    def __init__(self, nf=64, nconv=32, scale=4):
        super().__init__()
        self.scale = scale
        parts = []
        for i in range(nconv + 1):
            parts += [conv(nf if i else 3, nf), nn.PReLU(nf)]
        self.body = nn.ModuleList(parts + [conv(nf, 3 * scale * scale)])

    def forward(self, x):
        y = x
        for layer in self.body:
            y = layer(y)
        return F.pixel_shuffle(y, self.scale) + F.interpolate(x, scale_factor=self.scale, mode='nearest')


class Dense(nn.Module):
    def __init__(self, nf, gc):
        super().__init__()
        for i in range(1, 6):
            setattr(self, f'conv{i}', conv(nf + (i - 1) * gc, gc if i < 5 else nf))

    def forward(self, x):
        seen = [x]
        for i in range(1, 5):
            seen.append(F.leaky_relu(getattr(self, f'conv{i}')(torch.cat(seen, 1)), 0.2))
        return x + 0.2 * self.conv5(torch.cat(seen, 1))


class Rrdb(nn.Module):
    def __init__(self, nf, gc):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (Dense(nf, gc) for _ in range(3))

    def forward(self, x):
        return x + 0.2 * self.rdb3(self.rdb2(self.rdb1(x)))


class RrdbNet(nn.Module):
    """BasicSR's RRDBNet, four times as large."""

    def __init__(self, nf=64, nb=23, gc=32):
        super().__init__()
        self.conv_first, self.conv_body = conv(3, nf), conv(nf, nf)
        self.body = nn.Sequential(*(Rrdb(nf, gc) for _ in range(nb)))
        self.conv_up1, self.conv_up2, self.conv_hr, self.conv_last = (conv(nf, n) for n in (nf, nf, nf, 3))

    def forward(self, x):
        x = self.conv_first(x)
        x = x + self.conv_body(self.body(x))
        for up in (self.conv_up1, self.conv_up2):
            x = F.leaky_relu(up(F.interpolate(x, scale_factor=2, mode='nearest')), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2))


class Residual(nn.Module):
    def __init__(self, nf):
        super().__init__()
        self.conv1, self.conv2 = conv(nf, nf), conv(nf, nf)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class MsrResNet(nn.Module):
    """BasicSR's MSRResNet, four times as large."""

    def __init__(self, nf=64, nb=16):
        super().__init__()
        self.conv_first = conv(3, nf)
        self.body = nn.Sequential(*(Residual(nf) for _ in range(nb)))
        self.upconv1, self.upconv2 = conv(nf, 4 * nf), conv(nf, 4 * nf)
        self.conv_hr, self.conv_last = conv(nf, nf), conv(nf, 3)

    def forward(self, x):
        y = self.body(F.leaky_relu(self.conv_first(x), 0.1))
        for up in (self.upconv1, self.upconv2):
            y = F.leaky_relu(F.pixel_shuffle(up(y), 2), 0.1)
        y = self.conv_last(F.leaky_relu(self.conv_hr(y), 0.1))
        return y + F.interpolate(x, scale_factor=4, mode='bilinear', align_corners=False)


class Normed(nn.Module):
    def __init__(self, nf):
        super().__init__()
        self.b = nn.Sequential(conv(nf, nf, bias=False), nn.BatchNorm2d(nf), nn.PReLU(),
                               conv(nf, nf, bias=False), nn.BatchNorm2d(nf))

    def forward(self, x):
        return x + self.b(x)


class SrResNet(nn.Module):
    """SRGAN's generator (Ledig et al. 2017), four times as large."""

    def __init__(self, nf=64, nb=16):
        super().__init__()
        self.stem = nn.Sequential(conv(3, nf, 9), nn.PReLU())
        self.body = nn.Sequential(*(Normed(nf) for _ in range(nb)), conv(nf, nf, bias=False), nn.BatchNorm2d(nf))
        up = lambda: [conv(nf, 4 * nf), nn.PixelShuffle(2), nn.PReLU()]
        self.up = nn.Sequential(*up(), *up(), conv(nf, 3, 9))

    def forward(self, x):
        x = self.stem(x)
        return self.up(x + self.body(x))


class Vgg(nn.Sequential):
    """VGG16's convolutions up to conv5_3, without the last ReLU; RGB in [0, 1]."""
    depths = 2, 2, 3, 3, 3

    def __init__(self, width=64):
        parts, i = [], 3
        for block, depth in enumerate(self.depths):
            if block:
                parts.append(nn.MaxPool2d(2))
            for _ in range(depth):
                parts += [conv(i, width << min(block, 3)), nn.ReLU()]
                i = width << min(block, 3)
        super().__init__(*parts[:-1])
        self.register_buffer('mean', torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), False)
        self.register_buffer('deviation', torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), False)

    def forward(self, x):
        return super().forward((x - self.mean) / self.deviation)


def unet(downs, ngf=64, drop=False):
    """With dropout in the (downs - 5) inner levels but the innermost."""
    net = NETS['unet'](3, 3, downs, ngf, 'batch')
    level = net.model
    for depth in range(1, downs - 1):
        level = next(m for m in level.model if isinstance(m, type(net.model)))
        if drop and depth >= 4:
            level.model.append(nn.Dropout(0.5))
    return net


def of_name(name, width=None, blocks=None):
    """A network by the name that `ganx FAMILY bench --network` knows, and --width and net.blocks."""
    w = width or 64
    if name.startswith('unet_'):
        return unet(int(name[5:]).bit_length() - 1, w)
    if name.startswith('resnet_'):
        return NETS['resnet'](3, 3, w, int(name[7]), 'instance')
    return {'star_generator': lambda: NETS['star_generator'](w, 5, 6),
            'patchgan': lambda: NETS['patchgan'](6, w, 3, 'batch'),
            'srvgg': lambda: Srvgg(w, blocks or 32), 'rrdbnet': lambda: RrdbNet(w, blocks or 23),
            'msrresnet': lambda: MsrResNet(w, blocks or 16), 'srresnet': lambda: SrResNet(w, blocks or 16)}[name]()


def channels_in(name):
    return 6 if name == 'patchgan' else 3


def evened(net, *inputs):
    """Random weights such that every convolution's output has a deviation of 1 (Mishkin & Matas 2016):
    signals reach the output through every layer, so that outputs that agree say something."""
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.running_mean, -0.1, 0.1)
            nn.init.uniform_(m.running_var, 0.9, 1.1)
        elif isinstance(m, nn.PReLU):
            nn.init.uniform_(m.weight, 0.1, 0.4)

    def even(m, _, y):
        deviation = y.std()
        for p in m.parameters():
            p.data /= deviation
        return y / deviation

    hooks = [m.register_forward_hook(even) for m in net.modules() if isinstance(m, CONVOLUTIONS)]
    with torch.no_grad():
        net.eval()(*inputs)
    for hook in hooks:
        hook.remove()
    return net
