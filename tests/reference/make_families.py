#!/usr/bin/env python3
"""Small training fixtures of CycleGAN and StarGAN in the layout of PyTorch's reference ones: made
once, kept beside this script, never needed by the tests. Networks and steps follow
pytorch-CycleGAN-and-pix2pix and yunjey/stargan.

    python3 make_families.py       writes train/cycle_* and train/star_*
"""
import json
import os
import shutil

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

import make_train
from make_train import HERE, NETS, build, patchgan, resnet, smooth, unet


class StarBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.main = nn.Sequential(nn.Conv2d(c, c, 3, 1, 1, bias=False), nn.InstanceNorm2d(c, affine=True), nn.ReLU(True),
                                  nn.Conv2d(c, c, 3, 1, 1, bias=False), nn.InstanceNorm2d(c, affine=True))

    def forward(self, x):
        return x + self.main(x)


class StarGenerator(nn.Module):
    def __init__(self, dim, c_dim, blocks):
        super().__init__()
        norm = lambda c: nn.InstanceNorm2d(c, affine=True)
        parts = [nn.Conv2d(3 + c_dim, dim, 7, 1, 3, bias=False), norm(dim), nn.ReLU(True)]
        for c in (dim, dim * 2):
            parts += [nn.Conv2d(c, c * 2, 4, 2, 1, bias=False), norm(c * 2), nn.ReLU(True)]
        parts += [StarBlock(dim * 4) for _ in range(blocks)]
        for c in (dim * 4, dim * 2):
            parts += [nn.ConvTranspose2d(c, c // 2, 4, 2, 1, bias=False), norm(c // 2), nn.ReLU(True)]
        self.main = nn.Sequential(*parts, nn.Conv2d(dim, 3, 7, 1, 3, bias=False), nn.Tanh())

    def forward(self, x, c):
        c = c[:, :, None, None].expand(-1, -1, x.shape[2], x.shape[3])
        return self.main(torch.cat([x, c], 1))


class StarDiscriminator(nn.Module):
    def __init__(self, size, dim, c_dim, layers):
        super().__init__()
        parts, c = [nn.Conv2d(3, dim, 4, 2, 1), nn.LeakyReLU(0.01)], dim
        for _ in range(1, layers):
            parts += [nn.Conv2d(c, c * 2, 4, 2, 1), nn.LeakyReLU(0.01)]
            c *= 2
        self.main = nn.Sequential(*parts)
        self.conv1 = nn.Conv2d(c, 1, 3, 1, 1, bias=False)
        self.conv2 = nn.Conv2d(c, c_dim, size >> layers, bias=False)

    def forward(self, x):
        h = self.main(x)
        return self.conv1(h), self.conv2(h).flatten(1)


NETS.update(star_generator=StarGenerator, star_discriminator=StarDiscriminator)


class Pool:
    """The reference's ImagePool while it fills up, which is all that these fixtures reach."""

    def __init__(self, size):
        self.size, self.images = size, 0

    def query(self, images):
        self.images += len(images)
        assert self.size == 0 or self.images <= self.size
        return images.detach()


def opened(fixture, init):
    nets = {k: build(v) for k, v in fixture['nets'].items()}
    for k, n in nets.items():
        n.load_state_dict({key[len(k) + 1:]: v for key, v in init.items() if key.startswith(k + '.')})
    return nets


def adam(o, *nets):
    return torch.optim.Adam([p for n in nets for p in n.parameters()], o['lr'], (o['beta1'], o['beta2']), o['eps'])


def keep(first, nets, *names):
    for k in names:
        if not any(key.startswith(k + '.') for key in first):
            first.update({f'{k}.{key}': p.grad.clone() for key, p in nets[k].named_parameters()})


def finals(nets):
    return {f'{k}.{key}': v for k, n in nets.items() for key, v in n.state_dict().items()}


PIXEL = {'l1': F.l1_loss, 'l2': F.mse_loss, 'smooth_l1': F.smooth_l1_loss}


def play_cycle(fixture, init, data):
    nets = opened(fixture, init)
    G_A, G_B, D_A, D_B = (nets[k] for k in ('G_A', 'G_B', 'D_A', 'D_B'))
    o, w, gan, batch = fixture['optimizer'], fixture['weights'], fixture['gan'], fixture['batch']
    pixel = PIXEL[fixture.get('pixel', 'l1')]
    optim_g, optim_d = adam(o, G_A, G_B), adam(o, D_A, D_B)
    pools = {'A': Pool(fixture['pool']), 'B': Pool(fixture['pool'])}
    losses, first = [], {}
    epoch = max(len(data['A']), len(data['B']))
    for step in range(fixture['steps']):
        at = [(step * batch + i) % epoch for i in range(batch)]
        a = torch.stack([data['A'][i % len(data['A'])] for i in at])
        b = torch.stack([data['B'][i % len(data['B'])] for i in at])
        fake_b, fake_a = G_A(a), G_B(b)
        rec_a, rec_b = G_B(fake_b), G_A(fake_a)
        line = {'step': step + 1}
        total = 0
        factor = w['identity'] * (w['cycle'] if fixture['identity_times_cycle'] else 1)
        if factor:
            line['idt_A'] = pixel(G_A(b), b) * factor
            line['idt_B'] = pixel(G_B(a), a) * factor
        for d in (D_A, D_B):
            d.requires_grad_(False)
        line['G_A'] = make_train.g_term(gan, D_A(fake_b))
        line['G_B'] = make_train.g_term(gan, D_B(fake_a))
        line['cycle_A'] = pixel(rec_a, a) * w['cycle']
        line['cycle_B'] = pixel(rec_b, b) * w['cycle']
        for k, v in line.items():
            total = total + (0 if k == 'step' else v)
        optim_g.zero_grad()
        total.backward()
        keep(first, nets, 'G_A', 'G_B')
        optim_g.step()
        optim_d.zero_grad()
        for k, d, real, fake in (('D_A', D_A, b, pools['B'].query(fake_b)), ('D_B', D_B, a, pools['A'].query(fake_a))):
            d.requires_grad_(True)
            if fixture.get('real_first', False):
                r, f = d(real), d(fake)
            else:
                f, r = d(fake), d(real)
            line[k] = sum(make_train.d_terms(gan, r, f)) * w['D']
            line[k].backward()
        keep(first, nets, 'D_A', 'D_B')
        optim_d.step()
        losses.append({k: v if k == 'step' else v.item() for k, v in line.items()})
    return losses, first, finals(nets)


def class_loss(fixture, logits, label):
    if fixture['labels'] == 'softmax':
        return F.cross_entropy(logits, label.argmax(1))
    return F.binary_cross_entropy_with_logits(logits, label, reduction='sum') / len(logits)


def penalty(d, x):
    y = d(x)[0]
    dx = torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]
    return ((dx.flatten(1).square().sum(1).sqrt() - 1) ** 2).mean()


def play_star(fixture, init, data):
    nets = opened(fixture, init)
    G, D = nets['G'], nets['D']
    o, w, gan = fixture['optimizer'], fixture['weights'], fixture['gan']
    objective = 'wgan' if gan == 'wgan_gp' else gan
    optim_g, optim_d = adam(o, G), adam(o, D)
    losses, first = [], {}
    for step in range(fixture['steps']):
        x, org, trg = (data[f'{k}.{step}'] for k in ('x', 'org', 'trg'))
        fake = G(x, trg).detach()
        r, logits = D(x)
        f, _ = D(fake)
        real, faked = make_train.d_terms(objective, r, f)
        line = {'step': step + 1, 'D_real': real, 'D_fake': faked, 'D_cls': class_loss(fixture, logits, org)}
        total = real + faked + w['cls'] * line['D_cls']
        if gan == 'wgan_gp':
            alpha = data[f'alpha.{step}']
            line['D_gp'] = penalty(D, (alpha * x + (1 - alpha) * fake).requires_grad_(True))
            total = total + w['gp'] * line['D_gp']
        optim_d.zero_grad()
        total.backward()
        keep(first, nets, 'D')
        optim_d.step()
        if (step + 1) % fixture['n_critic'] == 0:
            fake = G(x, trg)
            f, logits = D(fake)
            line['G_fake'] = make_train.g_term(objective, f)
            line['G_cls'] = class_loss(fixture, logits, trg)
            line['G_rec'] = F.l1_loss(G(fake, org), x)
            optim_g.zero_grad()
            (line['G_fake'] + w['cls'] * line['G_cls'] + w['rec'] * line['G_rec']).backward()
            keep(first, nets, 'G')
            optim_g.step()
        losses.append({k: v if k == 'step' else v.item() for k, v in line.items()})
    return losses, first, finals(nets)


def measured(play, fixture, init, data, losses, first):
    """Tolerances: 20 times what six changes of one part in a million in the first weights do."""
    most, gradient = [0.0] * len(losses), {k: 0.0 for k in fixture['nets']}
    for seed in range(6):
        torch.manual_seed(1000 + seed)
        moved = {k: v * (1 + 1e-6 * torch.randn_like(v)) if v.is_floating_point() else v for k, v in init.items()}
        other, grads, _ = play(fixture, moved, data)
        for i, (x, y) in enumerate(zip(losses, other)):
            for n in x:
                floor = max(abs(x[n]), 1e-3 * abs(losses[0].get(n, 0)))
                most[i] = max(most[i], abs(x[n] - y[n]) / floor)
        for k in gradient:
            keys = [key for key in first if key.startswith(k + '.')]
            d = sum(((first[key] - grads[key]) ** 2).sum() for key in keys)
            gradient[k] = max(gradient[k], float((d / sum((first[key] ** 2).sum() for key in keys)).sqrt()))
    most = list(np.maximum.accumulate(most))
    round2 = lambda v: float(f'{min(1, max(1e-3, 20 * v)):.2g}')
    return [round2(v) for v in most], {k: round2(v) for k, v in gradient.items()}


def write(folder, play, fixture, data, final=False):
    init = {f'{k}.{key}': v.clone() for k, n in fixture['nets'].items() for key, v in build(n).state_dict().items()}
    losses, first, end = play(fixture, init, data)
    fixture['tolerance'], fixture['gradient_tolerance'] = measured(play, fixture, init, data, losses, first)
    torch.save(init, folder + '/init.pth')
    torch.save(first, folder + '/first_gradients.pth')
    if final:
        torch.save(end, folder + '/final.pth')
    json.dump({'steps': losses}, open(folder + '/losses.json', 'w'), indent=1)
    json.dump(fixture, open(folder + '/fixture.json', 'w'), indent=1)


def optimizer(lr, eps):
    return {'name': 'adam', 'lr': lr, 'beta1': 0.5, 'beta2': 0.999, 'eps': eps}


def fresh(folder, seed):
    torch.manual_seed(seed)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return np.random.default_rng(seed)


def make_cycle(folder, g, d, gan='lsgan', batch=1, steps=3, h=32, w=32, seed=1, cycle=10.0, identity=0.5, times=True,
               eps=1e-4, modes=('RGB', 'RGB'), counts=None, pool=50, pixel='l1', lr=2e-4, d_weight=0.5, final=False):
    """g and d: functions of (cin, cout) and (cin)."""
    rng = fresh(folder, seed)
    data, bands = {}, [len(m) if m != 'L' else 1 for m in modes]
    for side, mode, count in zip('AB', modes, counts or (batch * steps,) * 2):
        os.makedirs(f'{folder}/data/train{side}')
        data[side] = []
        for i in range(count):
            x = smooth(rng, h, w)
            x = x if side == 'A' else 255 - x // 2
            picture = Image.fromarray(np.clip(x + rng.integers(0, 30, x.shape), 0, 255).astype(np.uint8)).convert(mode)
            picture.save(f'{folder}/data/train{side}/{i:03d}.png')
            x = np.asarray(picture).reshape(h, w, -1).copy()
            data[side].append(torch.from_numpy(x).permute(2, 0, 1).float() / 255 * 2 - 1)
    a, b = bands
    write(folder, play_cycle, {
        'kind': 'train', 'family': 'cycle', 'nets': {'G_A': g(a, b), 'G_B': g(b, a), 'D_A': d(b), 'D_B': d(a)},
        'gan': gan, 'pixel': pixel, 'weights': {'cycle': cycle, 'identity': identity if a == b else 0.0, 'D': d_weight},
        'identity_times_cycle': times, 'range': [-1, 1], 'logged': {'weighted': 'all, D halved'}, 'pool': pool,
        'optimizer': optimizer(lr, eps), 'order': ['G', 'D'], 'batch': batch,
        'data': {'layout': 'unpaired', 'folder': 'data', 'order': 'name', 'flip': False, 'crop': False},
        'steps': steps}, data, final)


def make_star(folder, dim=4, c_dim=3, blocks=1, layers=3, size=16, batch=3, steps=4, n_critic=2, labels='softmax',
              gan='wgan_gp', seed=1, gp=10.0, cls=1.0, rec=10.0, lr=1e-4, numbered=False, ddim=None, final=False):
    rng = fresh(folder, seed)
    data = {}
    for step in range(steps):
        data[f'x.{step}'] = torch.stack([torch.from_numpy(smooth(rng, size, size).copy()).permute(2, 0, 1).float() / 127.5
                                         - 1 for _ in range(batch)])
        if labels == 'softmax':
            org = F.one_hot(torch.from_numpy(rng.integers(0, c_dim, batch)), c_dim).float()
        else:
            org = torch.from_numpy(rng.integers(0, 2, (batch, c_dim))).float()
        data[f'org.{step}'], data[f'trg.{step}'] = org, org[torch.from_numpy(rng.permutation(batch))]
        data[f'alpha.{step}'] = torch.from_numpy(rng.uniform(0, 1, (batch, 1, 1, 1))).float()
    stored = {k: v.argmax(1) if numbered and k[:3] in ('org', 'trg') else v for k, v in data.items()}
    torch.save(stored, folder + '/step.pth')
    write(folder, play_star, {
        'kind': 'train', 'family': 'star',
        'nets': {'G': {'network': 'star_generator', 'dim': dim, 'c_dim': c_dim, 'blocks': blocks},
                 'D': {'network': 'star_discriminator', 'size': size, 'dim': ddim or dim, 'c_dim': c_dim, 'layers': layers}},
        'gan': gan, 'weights': {'gp': gp, 'cls': cls, 'rec': rec}, 'range': [-1, 1], 'logged': {'plain': 'all'},
        'labels': labels, 'n_critic': n_critic, 'optimizer': optimizer(lr, 1e-8), 'order': ['D', 'G'], 'batch': batch,
        'data': {'tensors': 'step.pth'}, 'steps': steps}, data, final)


if __name__ == '__main__':
    train = HERE + '/train/'
    make_cycle(train + 'cycle_lsgan_instance', lambda i, o: resnet(1, 2, 'instance', i, o),
               lambda c: patchgan(2, 2, 'instance', c), batch=2, h=24, counts=(5, 3), seed=9)
    make_cycle(train + 'cycle_grey_to_colour', lambda i, o: unet(4, 2, 'batch', i, o),
               lambda c: patchgan(1, 4, 'batch', c), 'vanilla', modes=('L', 'RGB'), h=16, seed=6)
    make_star(train + 'star_domains', dim=3, seed=14)
    make_star(train + 'star_attributes', dim=3, c_dim=4, labels='sigmoid', n_critic=1, steps=3, seed=10)
