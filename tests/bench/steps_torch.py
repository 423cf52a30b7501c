#!/usr/bin/env python3
"""The training steps of ganx in PyTorch, to compare with: peers.py steps uses them.

  GAME make DIR                    a data set, first weights and the losses of a step of narrow networks
  GAME same DIR                    whether DIR/run, which ganx trained from there, has the same losses
  GAME serve SIZE BATCH WIDTH [nhwc]   for each line of standard input a step; its time and memory as JSON
  pix2pix train PAIRS OUT N        N steps on side-by-side pairs, then the test pairs' outputs as OUT/NAME.png

GAME is pix2pix, cycle, star or srresnet. A step of star is five of the critic and one of the generator."""
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
import networks_torch as n  # noqa: E402

import make_families as m  # noqa: E402  (networks_torch says where it is)

SIDE, WIDTH = 64, 16  # of what is compared for agreement


def initialised(net):
    for layer in net.modules():
        if isinstance(layer, n.CONVOLUTIONS):
            nn.init.normal_(layer.weight, 0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.02)
    return net


def adam(lr, *nets):
    return torch.optim.Adam([p for net in nets for p in net.parameters()], lr, (0.5, 0.999))


def log(loss):
    return {k: v.item() for k, v in loss.items()}


class Pix2pix:
    """U-Net and PatchGAN 70, 100 L1; the discriminator first."""
    # words for `ganx pix2pix train`, for agreement
    words = ['net.generator=unet_64', 'net.dropout=false', 'optim.eps=0.001']

    def __init__(self, width, size, drop=True):
        self.nets = {'G': initialised(n.unet(size.bit_length() - 1, width, drop)),
                     'D': initialised(m.NETS['patchgan'](6, width, 3, 'batch'))}
        self.optim_g, self.optim_d = adam(2e-4, self.nets['G']), adam(2e-4, self.nets['D'])

    @classmethod
    def for_agreement(cls):
        """Adam's first step is the sign of the gradient, noise and all, unless eps is above it."""
        game = cls(WIDTH, SIDE, False)
        for o in (game.optim_g, game.optim_d):
            o.param_groups[0]['eps'] = 1e-3
        return game

    def batch(self, size, count):
        return [torch.rand(count, 3, size, size) * 2 - 1 for _ in 'ab']

    def judged(self, a, b, real):
        out = self.nets['D'](torch.cat([a, b], 1))
        return F.binary_cross_entropy_with_logits(out, torch.full_like(out, float(real)))

    def step(self, a, b):
        g, d = self.nets['G'], self.nets['D']
        fake = g(a)
        d.requires_grad_(True)
        self.optim_d.zero_grad()
        loss = {'D_fake': self.judged(a, fake.detach(), 0), 'D_real': self.judged(a, b, 1)}
        ((loss['D_fake'] + loss['D_real']) * 0.5).backward()
        self.optim_d.step()
        d.requires_grad_(False)
        self.optim_g.zero_grad()
        loss.update(G_GAN=self.judged(a, fake, 1), G_L1=100 * F.l1_loss(fake, b))
        (loss['G_GAN'] + loss['G_L1']).backward()
        self.optim_g.step()
        return loss

    def make(self, folder):
        pair = [picture(1 + i) for i in range(2)]
        save(f'{folder}/train/0.png', np.concatenate(pair, 1))
        return self.step(*(tensor(x) for x in pair))


class Cycle:
    """ResNet-9 and PatchGAN 70 each way, LSGAN, cycle 10, identity 0.5; the pool still fills."""
    names = ('G_A', 'G_B', 'D_A', 'D_B')
    words = []

    def __init__(self, width, size):
        make_g = lambda: initialised(m.NETS['resnet'](3, 3, width, 9, 'instance'))
        make_d = lambda: initialised(m.NETS['patchgan'](3, width, 3, 'instance'))
        self.nets = dict(zip(self.names, (make_g(), make_g(), make_d(), make_d())))
        g_a, g_b, d_a, d_b = (self.nets[k] for k in self.names)
        self.optim_g, self.optim_d = adam(2e-4, g_a, g_b), adam(2e-4, d_a, d_b)

    @classmethod
    def for_agreement(cls):
        return cls(WIDTH, SIDE)

    def batch(self, size, count):
        return [torch.rand(count, 3, size, size) * 2 - 1 for _ in 'ab']

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
        pictures = [picture(1 + i) for i in range(2)]
        for side, x in zip('AB', pictures):
            save(f'{folder}/train{side}/0.png', x)
        return self.step(*(tensor(x) for x in pictures))


class Star:
    """Five domains, WGAN-GP 10, classification 1, reconstruction 10, five critic steps."""
    c_dim = 5
    words = ['optim.lr=0', 'train.batch=2', 'net.n_layers=3']

    def __init__(self, width, size):
        layers = 6 if size >= 128 else 3
        self.nets = {'G': m.NETS['star_generator'](width, self.c_dim, 6),
                     'D': m.NETS['star_discriminator'](size, width, self.c_dim, layers)}
        self.optim_g, self.optim_d = adam(1e-4, self.nets['G']), adam(1e-4, self.nets['D'])

    @classmethod
    def for_agreement(cls):
        return cls(WIDTH, SIDE)

    def batch(self, size, count):
        label = torch.arange(count) % self.c_dim
        return torch.rand(count, 3, size, size) * 2 - 1, label, label.flip(0)

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
        two = [picture(i) for i in range(2)]
        for domain in range(self.c_dim):
            for i in range(1 if domain else 10):
                save(f'{folder}/train/{domain}/{i}.png', two[i % 2])
        for o in (self.optim_g, self.optim_d):
            o.param_groups[0]['lr'] = 0
        label = torch.zeros(2, dtype=torch.long)
        return self.step(torch.cat([tensor(x) for x in two]), label, label)


class SrResNet:
    """SRResNet four times as large, L1 of pixels and of VGG16's conv5_3, no discriminator."""
    words = ['net.generator=srresnet', 'net.blocks=2', 'data.load_size=0', 'data.rotate=false', 'train.batch=1',
             'loss.perceptual=1', 'loss.perceptual_layers=conv5_3=1', 'loss.perceptual_model={folder}/vgg.pth']

    def __init__(self, width, size, blocks=16, vgg=64):
        self.nets = {'G': n.SrResNet(width, blocks)}
        self.vgg = n.Vgg(vgg).requires_grad_(False)
        self.optim_g = torch.optim.Adam(self.nets['G'].parameters(), 2e-4, (0.9, 0.99))

    @classmethod
    def for_agreement(cls):
        return cls(WIDTH, SIDE, 2, 8)

    def batch(self, size, count):
        return torch.rand(count, 3, size // 4, size // 4), torch.rand(count, 3, size, size)

    def step(self, low, sharp):
        fake = self.nets['G'](low)
        loss = {'G_pix': F.l1_loss(fake, sharp), 'G_perc': F.l1_loss(self.vgg(fake), self.vgg(sharp))}
        self.optim_g.zero_grad()
        sum(loss.values()).backward()
        self.optim_g.step()
        return loss

    def make(self, folder):
        for m_ in self.vgg:
            if isinstance(m_, nn.Conv2d):
                nn.init.kaiming_normal_(m_.weight, nonlinearity='relu')
        torch.save({f'features.{k}': v for k, v in self.vgg.state_dict().items()}, folder + '/vgg.pth')
        sharp = picture(1)
        low = sharp.reshape(SIDE // 4, 4, SIDE // 4, 4, 3).mean((1, 3)).round().astype(np.uint8)
        save(folder + '/HR/0.png', sharp)
        save(folder + '/LR/0.png', low)
        return self.step(*((tensor(x) + 1) / 2 for x in (low, sharp)))


GAMES = {'pix2pix': Pix2pix, 'cycle': Cycle, 'star': Star, 'srresnet': SrResNet}

# ---- pictures ----


def picture(seed):
    return m.smooth(np.random.default_rng(seed), SIDE, SIDE).astype(np.uint8)


def save(path, x):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Image.fromarray(x).save(path)


def tensor(x):
    return torch.from_numpy(x.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


# ---- agreement ----


def make(game, folder):
    torch.manual_seed(1)
    played = GAMES[game].for_agreement()
    torch.save({f'{k}.{name}': v.clone() for k, net in played.nets.items() for name, v in net.state_dict().items()},
               folder + '/init.pth')
    json.dump(log(played.make(folder)), open(folder + '/losses.json', 'w'))


def same(game, folder):
    """Where the penalty is taken is left to chance, and it is compared loosely."""
    theirs = json.load(open(folder + '/losses.json'))
    lines = [json.loads(line) for line in open(folder + '/run/metrics.jsonl')]
    ours = next(line['loss'] for line in lines if 'loss' in line)  # health has lines of its own
    for name, value in theirs.items():
        allowed = 0.1 if name == 'D_gp' else 1e-3
        if not abs(ours[name] - value) <= allowed * max(abs(value), 1e-2):
            sys.exit(f'{game}: {name} is {ours[name]}, and {value} in PyTorch')
    print(f'{game}: the losses agree: ' + ' '.join(f'{k} {v:.5g}' for k, v in theirs.items()), flush=True)


def check_agreement(row, options):
    """One step of both from the same weights on the same pictures."""
    with tempfile.TemporaryDirectory() as folder:
        make(row['name'], folder)
        settings = ['data.flip=false', 'data.shuffle=false', 'optim.schedule=constant', f'data.load_size={SIDE}',
                    f'data.crop_size={SIDE}', f'net.ngf={WIDTH}', f'net.ndf={WIDTH}',
                    *(word.format(folder=folder) for word in GAMES[row['name']].words)]
        subprocess.run([os.path.join(options.build, 'ganx'), row['family'], 'train', '--quiet', '--data', folder,
                        '--init', folder + '/init.pth', '--run', folder + '/run', '--steps', '1', '--threads',
                        str(options.threads), *(word for s in settings for word in ('--set', s))], check=True)
        same(row['name'], folder)


# ---- times ----


def resident(key):
    """VmRSS or VmHWM of this process, in MiB."""
    return next(int(line.split()[1]) / 1024 for line in open('/proc/self/status') if line.startswith(key))


def serve(game, size, batch, width, nhwc):
    torch.set_num_threads(int(os.environ.get('THREADS', '2')))
    torch.manual_seed(1)
    before = resident('VmRSS')
    played = GAMES[game](width, size)
    given = list(played.batch(size, batch))
    weights = sum(p.numel() for net in played.nets.values() for p in net.parameters())
    fixed = sum(p.numel() for p in played.vgg.parameters()) if game == 'srresnet' else 0
    if nhwc:
        for net in (*played.nets.values(), *([played.vgg] if fixed else [])):
            net.to(memory_format=torch.channels_last)
        given = [x.to(memory_format=torch.channels_last) if x.dim() == 4 else x for x in given]
    played.step(*given)
    print(json.dumps({'before_mib': before, 'state_mib': (weights * 16 + fixed * 4) / 2 ** 20}), flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        played.step(*given)
        print(json.dumps({'ms': (time.perf_counter() - began) * 1e3, 'peak_mib': resident('VmHWM')}), flush=True)


class Served:
    """PyTorch's step in a process that waits for its turn. state_mib: weights, gradients, moments."""

    def __init__(self, row, options, *how):
        environment = dict(os.environ, THREADS=str(options.threads))
        self.process = subprocess.Popen(
            [sys.executable, __file__, row['name'], 'serve', str(row['w']), str(row['batch']),
             str(row['width']), *how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.facts = json.loads(self.process.stdout.readline())

    def turn(self):
        self.process.stdin.write('\n')
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def ganx_turn(row, options):
    """A process; its first round is not counted."""
    words = [os.path.join(options.build, 'ganx'), row['family'], 'bench', '--training', '--repeat', '1', '--json',
             '--threads', str(options.threads), *row['words']]
    line = json.loads(subprocess.check_output(words, text=True).splitlines()[-1])
    line['peak_mib'] = line['peak_bytes'] / 2 ** 20
    return line


def compare(options, rows, Record, machine):
    record = Record(options, machine(options, ['torch']), 'steps')
    began, head = time.time(), True
    for row in rows:
        check_agreement(row, options)
        if not options.rounds:
            continue
        layouts = {'torch': Served(row, options), 'torch-nhwc': Served(row, options, 'nhwc')}
        ours, theirs = [], {name: [] for name in layouts}
        for _ in range(options.rounds):
            ours.append(ganx_turn(row, options))
            for name, peer in layouts.items():
                theirs[name].append(peer.turn())
            if len(layouts) > 1:  # the slower layout gives up after the first round
                slower = max(layouts, key=lambda name: theirs[name][0]['ms'])
                layouts.pop(slower).close()
        (best, peer), = layouts.items()
        peer.close()
        line = summed(row, ours, theirs, best, peer.facts)
        record.write(line)
        show(line, head)
        head = False
    print(f'{time.time() - began:.0f} s', file=sys.stderr)


def summed(row, ours, theirs, best, facts):
    median = lambda turns: statistics.median(t['ms'] for t in turns)
    peak = lambda turns: max(t['peak_mib'] for t in turns)
    state = facts['state_mib']
    line = {'what': 'step', 'name': row['name'], 'words': row['words'], 'gflop': ours[0]['gflop'],
            'ms': round(median(ours), 2), 'torch_ms': round(median(theirs[best]), 2), 'torch_layout': best,
            'peak_mib': peak(ours), 'beyond_mib': peak(ours) - state, 'torch_peak_mib': peak(theirs[best]),
            'torch_beyond_mib': peak(theirs[best]) - state, 'torch_before_mib': facts['before_mib'],
            'state_mib': state, 'arena_mib': ours[0]['arena_bytes'] / 2 ** 20,
            'turns': {'ganx': [t['ms'] for t in ours], **{k: [t['ms'] for t in v] for k, v in theirs.items()}}}
    line['ratio'] = round(line['torch_ms'] / line['ms'], 3)
    line['memory_ratio'] = round(line['beyond_mib'] / line['torch_beyond_mib'], 3)
    return line


def show(line, head):
    if head:
        print(f"{'step':<14}{'ganx ms':>10}{'PyTorch ms':>12}{'x PyTorch':>11}   MiB beyond weights, gradients, "
              'moments: ganx, PyTorch')
    print(f"{line['name']:<14}{line['ms']:>10.0f}{line['torch_ms']:>12.0f}{line['ratio']:>11.2f}"
          f"{line['beyond_mib']:>12.0f}{line['torch_beyond_mib']:>8.0f}{line['memory_ratio']:>8.2f}"
          f"   {line['torch_layout']}", flush=True)


# ---- training on pairs ----


def load_pair(path):
    x = tensor(np.asarray(Image.open(path).convert('RGB')))
    half = x.shape[3] // 2
    return x[..., :half], x[..., half:]


def train(data, out, steps):
    torch.set_num_threads(int(os.environ.get('THREADS', '2')))
    torch.manual_seed(1)
    random.seed(1)
    pairs = [load_pair(f'{data}/train/{name}') for name in sorted(os.listdir(f'{data}/train'))]
    game, order, start = Pix2pix(64, pairs[0][0].shape[3]), [], time.time()
    for step in range(steps):
        if not order:
            order = random.sample(range(len(pairs)), len(pairs))
        a, b = pairs[order.pop()]
        if random.random() < 0.5:
            a, b = a.flip(3), b.flip(3)
        fall = 1 - max(0, step + 1 - steps // 2) / (steps - steps // 2 + 1)
        for o in (game.optim_g, game.optim_d):
            o.param_groups[0]['lr'] = 2e-4 * fall
        loss = game.step(a, b)
        if (step + 1) % 250 == 0:
            print(f"step {step + 1} G_L1 {loss['G_L1'].item():.4f} {(time.time() - start) / (step + 1):.3f} s/step",
                  file=sys.stderr, flush=True)
    os.makedirs(out, exist_ok=True)
    with torch.no_grad():  # as the reference tests: dropout on, statistics of the picture
        for name in sorted(os.listdir(f'{data}/test')):
            y = game.nets['G'](load_pair(f'{data}/test/{name}')[0])[0].permute(1, 2, 0)
            y = ((y + 1) * 127.5).round().clamp(0, 255).byte().numpy()
            Image.fromarray(y).save(f'{out}/{name}')


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in GAMES:
        sys.exit(__doc__)
    game, verb, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    if verb == 'serve':
        serve(game, *(int(word) for word in rest[:3]), 'nhwc' in rest)
    elif verb == 'train':
        train(rest[0], rest[1], int(rest[2]))
    elif verb in ('make', 'same'):
        {'make': make, 'same': same}[verb](game, rest[0])
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main()
