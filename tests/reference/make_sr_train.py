#!/usr/bin/env python3
"""Small super-resolution training fixtures in the layout of PyTorch's reference ones: made once, kept
beside this script, never needed by the tests. The step follows BasicSR: G first, then D.

    python3 make_sr_train.py       writes train/sr_*
"""
import json
import os
import shutil

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)
HERE = os.path.dirname(os.path.abspath(__file__))


class Residual(nn.Module):
    def __init__(self, nf):
        super().__init__()
        conv = lambda: nn.Conv2d(nf, nf, 3, 1, 1, bias=False)
        self.b = nn.Sequential(conv(), nn.BatchNorm2d(nf), nn.PReLU(), conv(), nn.BatchNorm2d(nf))

    def forward(self, x):
        return x + self.b(x)


class SRResNet(nn.Module):
    def __init__(self, nf, nb, scale):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, nf, 9, 1, 4), nn.PReLU())
        self.body = nn.Sequential(*[Residual(nf) for _ in range(nb)],
                                  nn.Conv2d(nf, nf, 3, 1, 1, bias=False), nn.BatchNorm2d(nf))
        self.up = nn.Sequential(nn.Conv2d(nf, nf * scale ** 2, 3, 1, 1), nn.PixelShuffle(scale), nn.PReLU(),
                                nn.Conv2d(nf, 3, 9, 1, 4))

    def forward(self, x):
        x = self.stem(x)
        return self.up(x + self.body(x))


class Plain(nn.Module):
    def __init__(self, nf):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(nf, nf, 3, 1, 1), nn.Conv2d(nf, nf, 3, 1, 1)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class MSRResNet(nn.Module):
    def __init__(self, nf, nb, scale):
        super().__init__()
        self.scale = scale
        self.conv_first = nn.Conv2d(3, nf, 3, 1, 1)
        self.body = nn.Sequential(*[Plain(nf) for _ in range(nb)])
        self.upconv1 = nn.Conv2d(nf, nf * scale ** 2, 3, 1, 1)
        self.conv_hr, self.conv_last = nn.Conv2d(nf, nf, 3, 1, 1), nn.Conv2d(nf, 3, 3, 1, 1)

    def forward(self, x):
        act = lambda y: F.leaky_relu(y, 0.1)
        y = act(F.pixel_shuffle(self.upconv1(self.body(act(self.conv_first(x)))), self.scale))
        base = F.interpolate(x, scale_factor=self.scale, mode='bilinear', align_corners=False)
        return self.conv_last(act(self.conv_hr(y))) + base


class SRGANDiscriminator(nn.Module):
    def __init__(self, nf, hidden):
        super().__init__()
        act = lambda: nn.LeakyReLU(0.2)
        parts, c = [nn.Conv2d(3, nf, 3, 1, 1), act()], nf
        for wider, stride in ((1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2)):
            parts += [nn.Conv2d(c, nf * wider, 3, stride, 1, bias=False), nn.BatchNorm2d(nf * wider), act()]
            c = nf * wider
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(6), nn.Flatten(), nn.Linear(c * 36, hidden), act(),
                                        nn.Linear(hidden, 1))

    def forward(self, x):
        return self.classifier(self.features(x))


class VGG16(nn.Module):
    def __init__(self, width):
        super().__init__()
        parts, self.at, c = [], {}, 3
        for block, count in enumerate((2, 2, 3, 3, 3)):
            for k in range(count):
                self.at[f'conv{block + 1}_{k + 1}'] = len(parts)
                self.at[f'relu{block + 1}_{k + 1}'] = len(parts) + 1
                wider = width * min(2 ** block, 8)
                parts += [nn.Conv2d(c, wider, 3, 1, 1), nn.ReLU()]
                c = wider
            parts.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*parts)

    def forward(self, x, names):
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x, out = (x - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1), {}
        for i, part in enumerate(self.features):
            x = part(x)
            out.update({name: x for name in names if self.at[name] == i})
            if len(out) == len(names):
                break
        return out


NETS = {'srresnet': SRResNet, 'msrresnet': MSRResNet, 'srgan_discriminator': SRGANDiscriminator, 'vgg16': VGG16}


def build(net):
    return NETS[net['network']](**{k: v for k, v in net.items() if k != 'network'})


def gram(x):
    n, c, h, w = x.shape
    x = x.reshape(n, c, h * w)
    return x @ x.transpose(1, 2) / (c * h * w)


def compare(kind, a, b):
    return F.mse_loss(a, b) if kind == 'l2' else F.l1_loss(a, b)


def play(fixture, init, data):
    """Losses of every step, first gradients."""
    nets = {k: build(v) for k, v in fixture['nets'].items()}
    for k, n in nets.items():
        n.load_state_dict({key[len(k) + 1:]: v for key, v in init.items() if key.startswith(k + '.')})
    G, D, vgg = nets['G'], nets['D'], nets['VGG'].requires_grad_(False)
    o, w, p = fixture['optimizer'], fixture['weights'], fixture['perceptual']
    adam = {k: torch.optim.Adam(nets[k].parameters(), o['lr'], (o['beta1'], o['beta2']), o['eps']) for k in 'GD'}
    layers = p['layers'] if 'layers' in p else {p['layer']: 1}
    relative, losses, first = fixture['gan'] != 'vanilla', [], {}
    for step in range(fixture['steps']):
        lr, hr = data[f'lr.{step}'], data[f'hr.{step}']
        adam['G'].zero_grad()
        fake = G(lr)
        f, t = vgg(fake, layers), vgg(hr, layers)
        terms = {'G_pix': compare(fixture['pixel'], fake, hr) * w['G_pix'],
                 'G_perc': sum(compare(p['criterion'], f[k], t[k]) * x for k, x in layers.items()) * w['G_perc']}
        if 'G_style' in w:
            terms['G_style'] = w['G_style'] * sum(compare(p['criterion'], gram(f[k]), gram(t[k])) * x
                                                  for k, x in layers.items())
        out = D(fake)
        if relative:
            r = D(hr).detach()
            gan = (F.softplus(r - out.mean()).mean() + F.softplus(-(out - r.mean())).mean()) / 2
        else:
            gan = F.softplus(-out).mean()
        terms['G_GAN'] = gan * w['G_GAN']
        sum(terms.values()).backward()
        if not step:
            first.update({'G.' + k: v.grad.clone() for k, v in G.named_parameters()})
        adam['G'].step()
        adam['D'].zero_grad()
        f, r = D(fake.detach()), D(hr)
        if relative:
            real = F.softplus(-(r - f.mean().detach())).mean() / 2
            faked = F.softplus(f - r.mean().detach()).mean() / 2
        else:
            real, faked = F.softplus(-r).mean(), F.softplus(f).mean()
        (real + faked).backward()
        if not step:
            first.update({'D.' + k: v.grad.clone() for k, v in D.named_parameters()})
        adam['D'].step()
        terms.update({'D_real': real, 'D_fake': faked})
        losses.append({'step': step + 1, **{k: v.item() for k, v in terms.items()}})
    return losses, first


def measured(fixture, init, data, losses, first):
    """Tolerances: 20 times what six changes of one part in a million in the first weights do."""
    most, gradient = [0.0] * len(losses), {'G': 0.0, 'D': 0.0}
    for seed in range(6):
        torch.manual_seed(1000 + seed)
        moved = {k: v * (1 + 1e-6 * torch.randn_like(v)) if v.is_floating_point() else v
                 for k, v in init.items()}
        other, grads = play(fixture, moved, data)
        for i, (x, y) in enumerate(zip(losses, other)):
            for n in x:
                floor = max(abs(x[n]), 1e-3 * abs(losses[0][n]))
                most[i] = max(most[i], abs(x[n] - y[n]) / floor)
        for k in gradient:
            keys = [key for key in first if key.startswith(k + '.')]
            d = sum(((first[key] - grads[key]) ** 2).sum() for key in keys)
            gradient[k] = max(gradient[k], float((d / sum((first[key] ** 2).sum() for key in keys)).sqrt()))
    round2 = lambda v: float(f'{max(1e-3, 20 * v):.2g}')
    return [round2(v) for v in np.maximum.accumulate(most)], {k: round2(v) for k, v in gradient.items()}


def make(name, g, gan, pixel, perceptual, weights, seed, batch=2, steps=2, side=32):
    folder = f'{HERE}/train/{name}'
    torch.manual_seed(seed)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    fixture = {
        'kind': 'train', 'family': 'sr',
        'nets': {'G': g, 'D': {'network': 'srgan_discriminator', 'nf': 2, 'hidden': 4},
                 'VGG': {'network': 'vgg16', 'width': 2}},
        'gan': gan, 'range': [0, 1], 'logged': {'weighted': list(weights), 'plain': ['D_real', 'D_fake']},
        'pixel': pixel, 'perceptual': perceptual, 'weights': weights,
        'optimizer': {'name': 'adam', 'lr': 1e-3, 'beta1': 0.9, 'beta2': 0.99, 'eps': 1e-8}, 'order': ['G', 'D'],
        'batch': batch, 'data': {'tensors': 'step.pth'}, 'steps': steps}
    data = {}
    for step in range(steps):
        coarse = torch.rand(batch, 3, side // 4, side // 4)
        hr = F.interpolate(coarse, size=(side, side), mode='bicubic', align_corners=False).clamp(0, 1)
        data[f'hr.{step}'] = hr
        data[f'lr.{step}'] = F.avg_pool2d(hr, g['scale'])
    init = {f'{k}.{key}': v.clone() for k, n in fixture['nets'].items() for key, v in build(n).state_dict().items()}
    losses, first = play(fixture, init, data)
    fixture['tolerance'], fixture['gradient_tolerance'] = measured(fixture, init, data, losses, first)
    torch.save(init, folder + '/init.pth')
    torch.save(data, folder + '/step.pth')
    torch.save(first, folder + '/first_gradients.pth')
    json.dump({'steps': losses}, open(folder + '/losses.json', 'w'), indent=1)
    json.dump(fixture, open(folder + '/fixture.json', 'w'), indent=1)


if __name__ == '__main__':
    make('sr_srgan_narrow', {'network': 'srresnet', 'nf': 4, 'nb': 1, 'scale': 2}, 'vanilla', 'l2',
         {'layer': 'relu5_3', 'criterion': 'l2'}, {'G_pix': 1.0, 'G_perc': 0.6, 'G_GAN': 0.01}, 1)
    make('sr_style_narrow', {'network': 'msrresnet', 'nf': 4, 'nb': 1, 'scale': 3}, 'relativistic_average_esrgan', 'l1',
         {'layers': {'conv2_2': 0.5, 'relu3_1': 1.0}, 'criterion': 'l1'},
         {'G_pix': 0.1, 'G_perc': 1.0, 'G_style': 2.0, 'G_GAN': 0.05}, 2, side=24)
