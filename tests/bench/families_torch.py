#!/usr/bin/env python3
"""The recipes of `ganx cycle train` and `ganx star train` in PyTorch, to compare with: never part
of the tests. FAMILY is cycle or star; networks are those of tests/reference/make_families.py.

  FAMILY step SIZE BATCH WIDTH   median seconds of a training step and of inference; peak memory
  FAMILY make DIR                a data set, first weights and the losses of a step, of narrow networks
  FAMILY same DIR                whether DIR/run, which ganx trained from there, has the same losses

star: a step is five of the critic and one of the generator."""
import json
import os
import resource
import sys
import time

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, '..', 'reference'))
import make_families as m  # noqa: E402

torch.set_num_threads(int(os.environ.get('THREADS', '2')))
SIDE, WIDTH = 64, 16  # of what is compared for agreement


def initialised(net):
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return net


def adam(lr, *nets):
    return torch.optim.Adam([p for n in nets for p in n.parameters()], lr, (0.5, 0.999))


class Cycle:
    """ResNet-9 and PatchGAN 70 each way, LSGAN, cycle 10, identity 0.5; the pool still fills."""
    names = ('G_A', 'G_B', 'D_A', 'D_B')

    def __init__(self, width, size):
        make_g = lambda: initialised(m.NETS['resnet'](3, 3, width, 9, 'instance'))
        make_d = lambda: initialised(m.NETS['patchgan'](3, width, 3, 'instance'))
        self.nets = dict(zip(self.names, (make_g(), make_g(), make_d(), make_d())))
        g_a, g_b, d_a, d_b = (self.nets[k] for k in self.names)
        self.optim_g, self.optim_d = adam(2e-4, g_a, g_b), adam(2e-4, d_a, d_b)

    def batch(self, size, count):
        return [torch.rand(count, 3, size, size) * 2 - 1 for _ in 'ab']

    def use(self, a, b):
        return self.nets['G_A'](a)

    def step(self, a, b):
        g_a, g_b, d_a, d_b = (self.nets[k] for k in self.names)
        fake_b, fake_a = g_a(a), g_b(b)
        for d in (d_a, d_b):
            d.requires_grad_(False)
        loss = {'G_A': ((d_a(fake_b) - 1) ** 2).mean(), 'G_B': ((d_b(fake_a) - 1) ** 2).mean(),
                'cycle_A': F.l1_loss(g_b(fake_b), a) * 10, 'cycle_B': F.l1_loss(g_a(fake_a), b) * 10,
                'idt_A': F.l1_loss(g_a(b), b) * 5, 'idt_B': F.l1_loss(g_b(a), a) * 5}
        self.optim_g.zero_grad()
        sum(loss.values()).backward()
        self.optim_g.step()
        self.optim_d.zero_grad()
        for name, d, real, fake in (('D_A', d_a, b, fake_b), ('D_B', d_b, a, fake_a)):
            d.requires_grad_(True)
            loss[name] = ((d(fake.detach()) ** 2).mean() + ((d(real) - 1) ** 2).mean()) * 0.5
            loss[name].backward()
        self.optim_d.step()
        return loss

    def make(self, folder):
        pictures = [save(f'{folder}/train{side}/0.png', 1 + i) for i, side in enumerate('AB')]
        return self.step(*pictures)


class Star:
    """Five domains, WGAN-GP 10, classification 1, reconstruction 10, five critic steps."""
    names, c_dim = ('G', 'D'), 5

    def __init__(self, width, size):
        layers = 6 if size >= 128 else 3
        self.nets = {'G': m.NETS['star_generator'](width, self.c_dim, 6),
                     'D': m.NETS['star_discriminator'](size, width, self.c_dim, layers)}
        self.optim_g, self.optim_d = adam(1e-4, self.nets['G']), adam(1e-4, self.nets['D'])

    def batch(self, size, count):
        label = torch.arange(count) % self.c_dim
        return torch.rand(count, 3, size, size) * 2 - 1, label, label.flip(0)

    def use(self, x, org, trg):
        return self.nets['G'](x, F.one_hot(trg, self.c_dim).float())

    def step(self, x, org, trg):
        g, d = self.nets['G'], self.nets['D']
        from_, to = (F.one_hot(k, self.c_dim).float() for k in (org, trg))
        for _ in range(5):
            with torch.no_grad():
                fake = g(x, to)
            r, logits = d(x)
            mix = torch.rand(len(x), 1, 1, 1)
            loss = {'D_real': -r.mean(), 'D_fake': d(fake)[0].mean(), 'D_cls': F.cross_entropy(logits, org),
                    'D_gp': m.penalty(d, (mix * x + (1 - mix) * fake).requires_grad_(True))}
            self.optim_d.zero_grad()
            (loss['D_real'] + loss['D_fake'] + loss['D_cls'] + 10 * loss['D_gp']).backward()
            self.optim_d.step()
        fake = g(x, to)
        f, logits = d(fake)
        loss.update(G_fake=-f.mean(), G_cls=F.cross_entropy(logits, trg), G_rec=F.l1_loss(g(fake, from_), x))
        self.optim_g.zero_grad()
        (loss['G_fake'] + loss['G_cls'] + 10 * loss['G_rec']).backward()
        self.optim_g.step()
        return loss

    def make(self, folder):
        """No rate, and a fifth batch of two pictures of one domain (the domains take turns while they
        last): nothing is left to chance but where the penalty is taken."""
        for domain in range(self.c_dim):
            pictures = [save(f'{folder}/train/{domain}/{i}.png', i % 2) for i in range(1 if domain else 10)]
            two = two if domain else pictures[:2]
        for o in (self.optim_g, self.optim_d):
            o.param_groups[0]['lr'] = 0
        label = torch.zeros(2, dtype=torch.long)
        return self.step(torch.cat(two), label, label)


def save(path, seed):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    x = m.smooth(np.random.default_rng(seed), SIDE, SIDE).astype(np.uint8)
    Image.fromarray(x).save(path)
    return torch.from_numpy(x.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def median_seconds(run, rounds=3):
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[rounds // 2]


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in ('cycle', 'star'):
        sys.exit(__doc__)
    family, verb, where = {'cycle': Cycle, 'star': Star}[sys.argv[1]], sys.argv[2], sys.argv[3]
    torch.manual_seed(1)
    if verb == 'step':
        game = family(int(sys.argv[5]), int(where))
        batch = game.batch(int(where), int(sys.argv[4]))
        with torch.no_grad():
            use = median_seconds(lambda: game.use(*batch))
        step = median_seconds(lambda: game.step(*batch))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f'{{"inference_s": {use:.4f}, "step_s": {step:.4f}, "peak_mib": {peak:.0f}}}')
    elif verb == 'make':
        game = family(WIDTH, SIDE)
        torch.save({f'{k}.{name}': v for k, n in game.nets.items() for name, v in n.state_dict().items()},
                   where + '/init.pth')
        json.dump({k: v.item() for k, v in game.make(where).items()}, open(where + '/losses.json', 'w'))
    elif verb == 'same':
        theirs = json.load(open(where + '/losses.json'))
        lines = [json.loads(line) for line in open(where + '/run/metrics.jsonl')]
        ours = next(line['loss'] for line in lines if 'loss' in line)  # health has lines of its own
        for name, value in theirs.items():
            allowed = 0.1 if name == 'D_gp' else 1e-3
            if not abs(ours[name] - value) <= allowed * max(abs(value), 1e-2):
                sys.exit(f'{name} is {ours[name]}, and {value} in PyTorch')
        print('the losses agree: ' + ' '.join(f'{k} {v:.5g}' for k, v in theirs.items()))
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main()
