#!/usr/bin/env python3
"""The pix2pix recipe of `ganx pix2pix train` in PyTorch, to compare with: never part of the tests.

  step  SIZE        median seconds of a training step and of inference (unet of that size, batch 1)
  train DATA OUT N  N steps on side-by-side pairs, then the test pairs' outputs as OUT/NAME.png

Needs torch and Pillow. The networks are written from the published description (pix2pix, appendix
6.1) with the reference implementation's parameter names, so weights go both ways."""
import os, random, sys, time
import torch
from torch import nn

torch.set_num_threads(int(os.environ.get("THREADS", "2")))


class Level(nn.Module):
    """One U-Net level around `inner`; names come out as model.model.1.model..."""

    def __init__(self, outer, channels, inner=None, cin=None, outermost=False, drop=False):
        super().__init__()
        self.outermost = outermost
        down = nn.Conv2d(cin or outer, channels, 4, 2, 1, bias=False)
        up_in = channels if inner is None else 2 * channels
        if outermost:
            up = nn.ConvTranspose2d(up_in, outer, 4, 2, 1)
            parts = [down, inner, nn.ReLU(True), up, nn.Tanh()]
        else:
            up = nn.ConvTranspose2d(up_in, outer, 4, 2, 1, bias=False)
            parts = [nn.LeakyReLU(0.2, True), down]
            if inner is not None:
                parts += [nn.BatchNorm2d(channels), inner]
            parts += [nn.ReLU(True), up, nn.BatchNorm2d(outer)]
            if drop:
                parts += [nn.Dropout(0.5)]
        self.model = nn.Sequential(*parts)

    def forward(self, x):
        y = self.model(x)
        return y if self.outermost else torch.cat([x, y], 1)


def unet(downs, ngf=64, cin=3, cout=3):
    net = Level(ngf * 8, ngf * 8)
    for _ in range(downs - 5):
        net = Level(ngf * 8, ngf * 8, net, drop=True)
    for mult in (4, 2, 1):
        net = Level(ngf * mult, ngf * mult * 2, net)
    return Level(cout, ngf, net, cin=cin, outermost=True)


def patchgan(cin=6, ndf=64):
    layers, channels = [nn.Conv2d(cin, ndf, 4, 2, 1), nn.LeakyReLU(0.2, True)], ndf
    for stride, out in ((2, 2 * ndf), (2, 4 * ndf), (1, 8 * ndf)):
        layers += [nn.Conv2d(channels, out, 4, stride, 1, bias=False), nn.BatchNorm2d(out),
                   nn.LeakyReLU(0.2, True)]
        channels = out
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, 1, 1))


def initialise(net):
    for m in net.modules():
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(m.weight, 0, 0.02)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
        elif isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, 1, 0.02)
            nn.init.zeros_(m.bias)
    return net


class Trainer:
    def __init__(self, size):
        self.g, self.d = initialise(unet(size.bit_length() - 1)), initialise(patchgan())
        self.og = torch.optim.Adam(self.g.parameters(), 2e-4, (0.5, 0.999))
        self.od = torch.optim.Adam(self.d.parameters(), 2e-4, (0.5, 0.999))
        self.bce = nn.BCEWithLogitsLoss()

    def judge(self, a, b, real):
        out = self.d(torch.cat([a, b], 1))
        return self.bce(out, torch.full_like(out, float(real)))

    def step(self, a, b):
        fake = self.g(a)
        self.d.requires_grad_(True)
        self.od.zero_grad()
        ((self.judge(a, fake.detach(), 0) + self.judge(a, b, 1)) * 0.5).backward()
        self.od.step()
        self.d.requires_grad_(False)
        self.og.zero_grad()
        l1 = (fake - b).abs().mean()
        (self.judge(a, fake, 1) + 100 * l1).backward()
        self.og.step()
        return l1.item()


def median_seconds(run, rounds=7):
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[rounds // 2]


def step_times(size):
    import resource
    trainer = Trainer(size)
    a, b = torch.rand(1, 3, size, size) * 2 - 1, torch.rand(1, 3, size, size) * 2 - 1
    with torch.no_grad():
        inference = median_seconds(lambda: trainer.g(a))
    training = median_seconds(lambda: trainer.step(a, b))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f'{{"inference_s": {inference:.4f}, "step_s": {training:.4f}, "peak_mib": {peak:.0f}}}')


def load(path):
    from PIL import Image
    import numpy
    x = torch.from_numpy(numpy.asarray(Image.open(path).convert("RGB")).copy()).float()
    x = (x / 127.5 - 1).permute(2, 0, 1)[None]
    half = x.shape[3] // 2
    return x[..., :half], x[..., half:]


def train(data, out, steps):
    from PIL import Image
    torch.manual_seed(1)
    random.seed(1)
    names = sorted(os.listdir(f"{data}/train"))
    pairs = [load(f"{data}/train/{n}") for n in names]
    trainer, order, start = Trainer(pairs[0][0].shape[3]), [], time.time()
    for step in range(steps):
        if not order:
            order = random.sample(range(len(pairs)), len(pairs))
        a, b = pairs[order.pop()]
        if random.random() < 0.5:
            a, b = a.flip(3), b.flip(3)
        fall = 1 - max(0, step + 1 - steps // 2) / (steps - steps // 2 + 1)
        for o in (trainer.og, trainer.od):
            o.param_groups[0]["lr"] = 2e-4 * fall
        l1 = trainer.step(a, b)
        if (step + 1) % 250 == 0:
            print(f"step {step + 1} l1 {l1:.4f} {(time.time() - start) / (step + 1):.3f} s/step",
                  file=sys.stderr, flush=True)
    os.makedirs(out, exist_ok=True)
    with torch.no_grad():  # as the reference tests: dropout on, statistics of the picture
        for name in sorted(os.listdir(f"{data}/test")):
            y = trainer.g(load(f"{data}/test/{name}")[0])[0].permute(1, 2, 0)
            y = ((y + 1) * 127.5).round().clamp(0, 255).byte().numpy()
            Image.fromarray(y).save(f"{out}/{name}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["step"]:
        step_times(int(sys.argv[2]))
    elif sys.argv[1:2] == ["train"]:
        train(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        sys.exit(__doc__)
