"""Makes the fixtures of what keeps discriminators in bounds: python3 tests/reference/make_bounds.py

second_order/*_sn*, patchgan_r1, patchgan_one_sided   gradient penalties, training with spectral norm
loss/bounds.json                                      labels, orthogonal regularisation
"""
import copy
import json
import os

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import spectral_norm

from make_train import PatchGAN, Pixel

HERE = os.path.dirname(os.path.abspath(__file__))


class UNetDiscriminatorSN(nn.Module):
    """The U-Net of Real-ESRGAN (Wang et al. 2021, section 3.4)."""

    def __init__(self, cin, nf):
        super().__init__()
        sizes = [(cin, nf, 3, 1), (nf, nf * 2, 4, 2), (nf * 2, nf * 4, 4, 2), (nf * 4, nf * 8, 4, 2),
                 (nf * 8, nf * 4, 3, 1), (nf * 4, nf * 2, 3, 1), (nf * 2, nf, 3, 1), (nf, nf, 3, 1),
                 (nf, nf, 3, 1), (nf, 1, 3, 1)]
        for i, (a, b, k, s) in enumerate(sizes):
            setattr(self, f'conv{i}', nn.Conv2d(a, b, k, s, 1, bias=i in (0, 9)))

    def forward(self, x):
        def layer(i, y):
            return F.leaky_relu(getattr(self, f'conv{i}')(y), 0.2)

        def double(y):
            return F.interpolate(y, scale_factor=2, mode='bilinear', align_corners=False)
        x0 = layer(0, x)
        x1 = layer(1, x0)
        x2 = layer(2, x1)
        y = layer(4, double(layer(3, x2))) + x2
        y = layer(5, double(y)) + x1
        y = layer(6, double(y)) + x0
        return self.conv9(layer(8, layer(7, y)))


class StarD(nn.Module):
    def __init__(self, size, dim, c_dim, layers):
        super().__init__()
        parts, c = [], 3
        for k in range(layers):
            parts += [nn.Conv2d(c, dim << k, 4, 2, 1), nn.LeakyReLU(0.01)]
            c = dim << k
        self.main = nn.Sequential(*parts)
        self.conv1 = nn.Conv2d(c, 1, 3, 1, 1, bias=False)
        self.conv2 = nn.Conv2d(c, c_dim, size >> layers, bias=False)

    def forward(self, x):
        return self.conv1(self.main(x))


NETS = {'patchgan': PatchGAN, 'pixel': Pixel, 'star_discriminator': StarD,
        'unet_discriminator_sn': UNetDiscriminatorSN}


def build(net):
    sizes = {k: v for k, v in net.items() if k not in ('network', 'spectral')}
    made = NETS[net['network']](**sizes)
    for name, m in made.named_modules():
        if isinstance(m, nn.Conv2d):
            nn.init.normal_(m.weight, 0, 0.2)
            if net.get('spectral') == 'yes' or (net['network'].endswith('_sn') and
                                               name not in ('conv0', 'conv9')):
                spectral_norm(m)
        if isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, 1, 0.2)
            nn.init.normal_(m.bias, 0, 0.1)
    return made


def state(module, prefix=''):
    return {prefix + k: v.detach().clone() for k, v in module.state_dict().items()
            if not k.endswith('num_batches_tracked')}


def folder(name):
    path = os.path.join(HERE, name)
    os.makedirs(path, exist_ok=True)
    return path


def save(path, description, **files):
    for name, tensors in files.items():
        torch.save({k: v.contiguous() for k, v in tensors.items()}, os.path.join(path, name + '.pth'))
    with open(os.path.join(path, 'fixture.json'), 'w') as f:
        json.dump(description, f, indent=1)
        f.write('\n')


def penalty(name, net, shape, centre=1.0, one_sided=False):
    """The penalty's pass moves nothing: u and v stay, norms use the batch."""
    made = build(net).train()
    for m in made.modules():
        if isinstance(m, nn.Conv2d):
            m.eval()
    x = torch.randn(shape, requires_grad=True)
    weights = state(made, 'weights.')
    dx, = torch.autograd.grad(made(x).sum(), x, create_graph=True)
    norm = dx.pow(2).sum((1, 2, 3)).sqrt()
    above = norm - centre
    loss = (above.clamp(min=0) if one_sided else above).pow(2).mean()
    if one_sided:
        assert (above > 0).any() and (above < 0).any(), norm
    loss.backward()
    data = {'x': x.detach(), 'dx': dx.detach(), 'penalty': loss.detach().reshape(1), **weights}
    data.update({'grad.' + k: p.grad for k, p in made.named_parameters() if p.grad is not None})
    description = {'kind': 'gradient_penalty', 'net': net, 'stats': 'batch', 'data': 'data.pth',
                   'output': 0, 'centre': centre, 'one_sided': one_sided, 'tolerance': 1e-4}
    save(folder('second_order/' + name), description, data=data)


def training(name, net, shape, steps):
    made = build(net)
    x = torch.randn(shape)
    init = {'x': x, **state(made)}
    still = copy.deepcopy(made).train()
    for m in still.modules():
        if isinstance(m, nn.Conv2d):
            m.eval()
    before = still(x).detach()
    made.train()
    optimizer = {'name': 'adam', 'lr': 1e-3, 'beta1': 0.9, 'beta2': 0.99, 'eps': 1e-8}
    adam = torch.optim.Adam(made.parameters(), 1e-3, (0.9, 0.99), 1e-8)
    losses = []
    for _ in range(steps):
        adam.zero_grad()
        y = made(x)
        loss = F.binary_cross_entropy_with_logits(y, torch.ones_like(y))
        loss.backward()
        adam.step()
        losses.append(loss.detach())
    final = {'output_eval_before': before, 'losses': torch.stack(losses), **state(made)}
    description = {'kind': 'spectral_norm', 'net': net,
                   'files': {'init': 'init.pth', 'final': 'final.pth'}, 'loss': 'bce_with_logits',
                   'target': 1.0, 'optimizer': optimizer, 'steps': steps, 'tolerance': 1e-3}
    save(folder('second_order/' + name), description, init=init, final=final)


def numbers(t):
    return [float(f'{v:.9g}') for v in t.detach().flatten().tolist()]


def labelled(gan, smooth, fake, real, wanted):
    r, f = (torch.randn(6, dtype=torch.float64, requires_grad=True) for _ in range(2))
    h = f.detach().clone().requires_grad_()
    if gan == 'lsgan':
        d_real, d_fake = (r - (real - smooth)).pow(2).mean(), (f - fake).pow(2).mean()
        g = (h - wanted).pow(2).mean()
    else:
        bce = F.binary_cross_entropy_with_logits
        d_real, d_fake = bce(r, torch.full_like(r, 1 - smooth)), bce(f, torch.zeros_like(f))
        g = {'non_saturating': F.softplus(-h).mean(), 'minimax': -F.softplus(h).mean(),
             'max_likelihood': -h.exp().mean()}[gan]
    (d_real + d_fake).backward()
    g.backward()
    return {'gan': gan, 'smooth': smooth, 'fake': fake, 'real': real, 'wanted': wanted,
            'r': numbers(r), 'f': numbers(f), 'd_real': d_real.item(), 'd_fake': d_fake.item(),
            'g': g.item(), 'dr': numbers(r.grad), 'df': numbers(f.grad), 'dg': numbers(h.grad)}


def orthogonal(shape, transposed):
    w = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    rows = (w.transpose(0, 1) if transposed else w).reshape(shape[1 if transposed else 0], -1)
    gram = rows @ rows.T
    loss = (gram * (1 - torch.eye(len(gram)))).pow(2).sum()
    loss.backward()
    return {'transposed': transposed, 'shape': shape, 'w': numbers(w), 'loss': loss.item(),
            'dw': numbers(w.grad)}


if __name__ == '__main__':
    torch.manual_seed(7)
    patch = {'network': 'patchgan', 'cin': 2, 'ndf': 3, 'n_layers': 2}
    plain, sn = {**patch, 'norm': 'instance'}, {**patch, 'norm': 'instance', 'spectral': 'yes'}
    batch = {**patch, 'norm': 'batch', 'spectral': 'yes'}
    pixel = {'network': 'pixel', 'cin': 2, 'ndf': 5, 'norm': 'batch', 'spectral': 'yes'}
    star = {'network': 'star_discriminator', 'size': 16, 'dim': 3, 'c_dim': 2, 'layers': 3,
            'spectral': 'yes'}
    unet = {'network': 'unet_discriminator_sn', 'cin': 2, 'nf': 2}
    penalty('patchgan_r1', plain, (3, 2, 21, 18), 0.0)
    penalty('patchgan_one_sided', plain, (6, 2, 16, 16), 5.0, True)
    penalty('patchgan_sn', sn, (2, 2, 21, 18))
    penalty('patchgan_sn_batch', batch, (3, 2, 16, 20))
    penalty('pixel_sn_batch', pixel, (2, 2, 5, 7), 0.0)
    penalty('star_d_sn', star, (2, 3, 16, 16))
    penalty('unet_d_sn_penalty', unet, (2, 2, 16, 24))
    training('patchgan_sn_train', batch, (2, 2, 19, 24), 4)
    training('pixel_sn_train', pixel, (2, 2, 5, 7), 3)
    training('unet_d_sn_narrow', unet, (2, 2, 16, 24), 4)
    cases = [labelled('non_saturating', 0.1, 0.0, 1.0, 1.0), labelled('minimax', 0.25, 0.0, 1.0, 1.0),
             labelled('max_likelihood', 0.3, 0.0, 1.0, 1.0), labelled('lsgan', 0.1, 0.0, 1.0, 1.0),
             labelled('lsgan', 0.0, -1.0, 1.0, 0.0), labelled('lsgan', 0.2, 0.5, 2.0, 1.5)]
    kernels = [orthogonal([3, 2, 3, 2], False), orthogonal([4, 3, 2, 2], True),
               orthogonal([1, 5, 1, 1], False)]
    with open(os.path.join(folder('loss'), 'bounds.json'), 'w') as out:
        json.dump({'labels': cases, 'orthogonal': kernels}, out, indent=1)
        out.write('\n')
