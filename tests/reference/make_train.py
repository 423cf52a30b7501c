#!/usr/bin/env python3
"""Small pix2pix training fixtures in the layout of PyTorch's reference ones: made once, kept beside
this script, never needed by the tests. Networks and step follow pytorch-CycleGAN-and-pix2pix.

    python3 make_train.py       writes train/pix2pix_*
"""
import functools
import json
import os
import shutil

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)
HERE = os.path.dirname(os.path.abspath(__file__))


def norm_layer(kind):
    """The layer, and whether a convolution before it has a bias."""
    if kind == 'batch':
        return nn.BatchNorm2d, False
    if kind == 'instance':
        return functools.partial(nn.InstanceNorm2d, affine=False), True
    return lambda c: nn.Identity(), False


class Level(nn.Module):
    def __init__(self, outer, inner, norm, cin=None, inside=None, outermost=False):
        super().__init__()
        layer, bias = norm_layer(norm)
        self.outermost = outermost
        cin = outer if cin is None else cin
        down = nn.Conv2d(cin, inner, 4, 2, 1, bias=bias)
        if outermost:
            parts = [down, inside, nn.ReLU(True), nn.ConvTranspose2d(inner * 2, outer, 4, 2, 1), nn.Tanh()]
        elif inside is None:
            parts = [nn.LeakyReLU(0.2, True), down, nn.ReLU(True),
                     nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=bias), layer(outer)]
        else:
            parts = [nn.LeakyReLU(0.2, True), down, layer(inner), inside, nn.ReLU(True),
                     nn.ConvTranspose2d(inner * 2, outer, 4, 2, 1, bias=bias), layer(outer)]
        self.model = nn.Sequential(*parts)

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class UNet(nn.Module):
    def __init__(self, cin, cout, downs, ngf, norm, drop=False):
        super().__init__()
        c = [ngf * min(2 ** k, 8) for k in range(downs)]
        level = None
        for k in range(downs - 1, 0, -1):
            level = Level(c[k - 1], c[k], norm, inside=level)
        self.model = Level(cout, c[0], norm, cin=cin, inside=level, outermost=True)

    def forward(self, x):
        return self.model(x)


class Block(nn.Module):
    def __init__(self, c, norm):
        super().__init__()
        layer, bias = norm_layer(norm)
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3, bias=bias), layer(c), nn.ReLU(True),
            nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3, bias=bias), layer(c))

    def forward(self, x):
        return x + self.conv_block(x)


class ResNet(nn.Module):
    def __init__(self, cin, cout, ngf, blocks, norm, drop=False):
        super().__init__()
        layer, bias = norm_layer(norm)
        parts = [nn.ReflectionPad2d(3), nn.Conv2d(cin, ngf, 7, bias=bias), layer(ngf), nn.ReLU(True)]
        for c in (ngf, ngf * 2):
            parts += [nn.Conv2d(c, c * 2, 3, 2, 1, bias=bias), layer(c * 2), nn.ReLU(True)]
        parts += [Block(ngf * 4, norm) for _ in range(blocks)]
        for c in (ngf * 4, ngf * 2):
            parts += [nn.ConvTranspose2d(c, c // 2, 3, 2, 1, 1, bias=bias), layer(c // 2), nn.ReLU(True)]
        self.model = nn.Sequential(*parts, nn.ReflectionPad2d(3), nn.Conv2d(ngf, cout, 7), nn.Tanh())

    def forward(self, x):
        return self.model(x)


class PatchGAN(nn.Module):
    def __init__(self, cin, ndf, n_layers, norm):
        super().__init__()
        layer, bias = norm_layer(norm)
        parts = [nn.Conv2d(cin, ndf, 4, 2, 1), nn.LeakyReLU(0.2, True)]
        c = ndf
        for k in range(1, n_layers + 1):
            wider = ndf * min(2 ** k, 8)
            parts += [nn.Conv2d(c, wider, 4, 2 if k < n_layers else 1, 1, bias=bias), layer(wider),
                      nn.LeakyReLU(0.2, True)]
            c = wider
        self.model = nn.Sequential(*parts, nn.Conv2d(c, 1, 4, 1, 1))

    def forward(self, x):
        return self.model(x)


class Pixel(nn.Module):
    def __init__(self, cin, ndf, norm):
        super().__init__()
        layer, bias = norm_layer(norm)
        self.net = nn.Sequential(nn.Conv2d(cin, ndf, 1), nn.LeakyReLU(0.2, True),
                                 nn.Conv2d(ndf, ndf * 2, 1, bias=bias), layer(ndf * 2), nn.LeakyReLU(0.2, True),
                                 nn.Conv2d(ndf * 2, 1, 1, bias=bias))

    def forward(self, x):
        return self.net(x)


NETS = {'unet': UNet, 'resnet': ResNet, 'patchgan': PatchGAN, 'pixel': Pixel}


def build(net):
    made = NETS[net['network']](**{k: v for k, v in net.items() if k != 'network'})
    for m in made.modules():
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(m.weight, 0, 0.08)
            if m.bias is not None:
                nn.init.normal_(m.bias, 0, 0.02)
        elif isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, 1, 0.05)
            nn.init.normal_(m.bias, 0, 0.05)
    return made


def d_terms(gan, r, f):
    if gan == 'vanilla':
        return F.softplus(-r).mean(), F.softplus(f).mean()
    if gan == 'lsgan':
        return ((r - 1) ** 2).mean(), (f ** 2).mean()
    if gan == 'hinge':
        return F.relu(1 - r).mean(), F.relu(1 + f).mean()
    return -r.mean(), f.mean()


def g_term(gan, f):
    if gan == 'vanilla':
        return F.softplus(-f).mean()
    return ((f - 1) ** 2).mean() if gan == 'lsgan' else -f.mean()


def play(fixture, init, pictures):
    """Losses of every step, first gradients, final weights."""
    nets = {k: build(v) for k, v in fixture['nets'].items()}
    for k, n in nets.items():
        n.load_state_dict({key[2:]: v for key, v in init.items() if key.startswith(k + '.')})
    o, gan = fixture['optimizer'], fixture['gan']
    adam = {k: torch.optim.Adam(n.parameters(), o['lr'], (o['beta1'], o['beta2']), o['eps'])
            for k, n in nets.items()}
    losses, first, batch = [], {}, fixture['batch']
    for step in range(fixture['steps']):
        at = [(step * batch + i) % len(pictures) for i in range(batch)]
        a = torch.stack([pictures[i][0] for i in at])
        b = torch.stack([pictures[i][1] for i in at])
        G, D = nets['G'], nets['D']
        fake = G(a)
        f = D(torch.cat([a, fake.detach()], 1))
        r = D(torch.cat([a, b], 1))
        real, faked = d_terms(gan, r, f)
        adam['D'].zero_grad()
        ((real + faked) * fixture['weights']['D']).backward()
        if not step:
            first.update({'D.' + k: p.grad.clone() for k, p in D.named_parameters()})
        adam['D'].step()
        adam['G'].zero_grad()
        g_gan = g_term(gan, D(torch.cat([a, fake], 1)))
        g_l1 = F.l1_loss(fake, b) * fixture['weights']['G_L1']
        (g_gan + g_l1).backward()
        if not step:
            first.update({'G.' + k: p.grad.clone() for k, p in G.named_parameters()})
        adam['G'].step()
        losses.append({'step': step + 1, 'G_GAN': g_gan.item(), 'G_L1': g_l1.item(), 'D_real': real.item(),
                       'D_fake': faked.item()})
    final = {f'{k}.{key}': v for k, n in nets.items() for key, v in n.state_dict().items()}
    return losses, first, final


def measured(fixture, init, pictures, losses, first):
    """Tolerances: 20 times what six changes of one part in a million in the first weights do."""
    names = ['G_GAN', 'G_L1', 'D_real', 'D_fake']
    most, gradient = [0.0] * len(losses), {k: 0.0 for k in fixture['nets']}
    for seed in range(6):
        torch.manual_seed(1000 + seed)
        moved = {k: v * (1 + 1e-6 * torch.randn_like(v)) if v.is_floating_point() else v
                 for k, v in init.items()}
        other, grads, _ = play(fixture, moved, pictures)
        for i, (x, y) in enumerate(zip(losses, other)):
            for n in names:
                floor = max(abs(x[n]), 1e-3 * abs(losses[0][n]))
                most[i] = max(most[i], abs(x[n] - y[n]) / floor)
        for k in gradient:
            keys = [key for key in first if key.startswith(k + '.')]
            d = sum(((first[key] - grads[key]) ** 2).sum() for key in keys)
            gradient[k] = max(gradient[k], float((d / sum((first[key] ** 2).sum() for key in keys)).sqrt()))
    most = list(np.maximum.accumulate(most))
    round2 = lambda v: float(f'{max(1e-3, 20 * v):.2g}')
    return [round2(v) for v in most], {k: round2(v) for k, v in gradient.items()}


def smooth(rng, h, w):
    small = rng.uniform(0, 255, (h // 8, w // 8, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((w, h), Image.BICUBIC), dtype=np.int32)


def make(folder, g, d, gan='vanilla', batch=1, steps=4, h=32, w=32, direction='AtoB', seed=1, l1=100.0,
         d_weight=0.5, mode='RGB', final=False):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder + '/data/train')
    pictures = []
    for i in range(batch * steps):
        a = smooth(rng, h, w)
        b = np.clip(255 - a[:, ::-1] // 2 + rng.integers(0, 30, a.shape), 0, 255)
        pair = Image.fromarray(np.concatenate([a, b], 1).astype(np.uint8))
        if mode == 'RGBA':
            pair.putalpha(Image.fromarray(rng.integers(0, 256, (h, 2 * w)).astype(np.uint8)))
        else:
            pair = pair.convert(mode)
        pair.save(f'{folder}/data/train/{i:03d}.png')
        x = np.asarray(pair)
        x = torch.from_numpy(x.reshape(h, 2 * w, -1).copy()).permute(2, 0, 1).float() / 255 * 2 - 1
        halves = (x[:, :, :w], x[:, :, w:])
        pictures.append(halves if direction == 'AtoB' else halves[::-1])
    fixture = {
        'kind': 'train', 'family': 'pix2pix', 'nets': {'G': g, 'D': d}, 'gan': gan,
        'weights': {'G_L1': l1, 'D': d_weight}, 'dropout': False,
        'optimizer': {'name': 'adam', 'lr': 2e-4, 'beta1': 0.5, 'beta2': 0.999, 'eps': 1e-8},
        'order': ['D', 'G'], 'range': [-1, 1], 'direction': direction, 'd_input': ['input', 'output'],
        'logged': {'weighted': ['G_L1'], 'plain': ['G_GAN', 'D_real', 'D_fake']}, 'batch': batch,
        'data': {'layout': 'pairs', 'folder': 'data', 'order': 'name', 'flip': False, 'crop': False},
        'steps': steps}
    init = {f'{k}.{key}': v.clone() for k, n in fixture['nets'].items() for key, v in build(n).state_dict().items()}
    losses, first, end = play(fixture, init, pictures)
    fixture['tolerance'], fixture['gradient_tolerance'] = measured(fixture, init, pictures, losses, first)
    torch.save(init, folder + '/init.pth')
    torch.save(first, folder + '/first_gradients.pth')
    if final:
        torch.save(end, folder + '/final.pth')
    json.dump({'steps': losses}, open(folder + '/losses.json', 'w'), indent=1)
    json.dump(fixture, open(folder + '/fixture.json', 'w'), indent=1)


def unet(downs, ngf, norm, cin=3, cout=3):
    return {'network': 'unet', 'cin': cin, 'cout': cout, 'downs': downs, 'ngf': ngf, 'norm': norm, 'drop': False}


def resnet(blocks, ngf, norm, cin=3, cout=3):
    return {'network': 'resnet', 'cin': cin, 'cout': cout, 'ngf': ngf, 'blocks': blocks, 'norm': norm}


def patchgan(n_layers, ndf, norm, cin=6):
    return {'network': 'patchgan', 'cin': cin, 'ndf': ndf, 'n_layers': n_layers, 'norm': norm}


if __name__ == '__main__':
    train = HERE + '/train/pix2pix_'
    make(train + 'vanilla_batch', unet(4, 3, 'batch'), patchgan(2, 3, 'batch'), seed=1)
    make(train + 'lsgan_instance2', unet(4, 2, 'instance'), patchgan(3, 2, 'instance'), 'lsgan', batch=2,
         direction='BtoA', seed=2)
    make(train + 'hinge_resnet_pixel', resnet(1, 2, 'instance'),
         {'network': 'pixel', 'cin': 6, 'ndf': 4, 'norm': 'batch'}, 'hinge', h=24, seed=3)
