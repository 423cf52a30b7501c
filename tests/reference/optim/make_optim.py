#!/usr/bin/env python3
"""Writes optim_numbers.h and schedule_numbers.h: what PyTorch's optimizers, clipping, averaging and
learning-rate schedules give on small inputs. Run in this folder."""
import math
import torch

STEPS, SIZES = 10, (15, 6)
COUNT = sum(SIZES)
torch.manual_seed(5)
START = torch.randn(COUNT)
GRADS = torch.randn(STEPS, COUNT) * torch.linspace(0.2, 2, STEPS)[:, None]
GRADS[3, 4] = 0


def text(values):
    return ", ".join(f"{v:.9g}f" if "." in f"{v:.9g}" or "e" in f"{v:.9g}" else f"{v:.9g}.0f"
                     for v in values)


def block(out, name, rows):
    out.write(f"static const float {name}[{len(rows)}][{len(rows[0])}] = {{\n")
    for row in rows:
        out.write(f"    {{{text(row)}}},\n")
    out.write("};\n")


def run(make, clip=0.0, clamp=0.0, ema=None):
    params = [torch.nn.Parameter(p.clone()) for p in START.split(SIZES)]
    average = [p.detach().clone() for p in params]
    optimizer = make(params)
    rows, averages = [], []
    for step in range(STEPS):
        for p, g in zip(params, GRADS[step].split(SIZES)):
            p.grad = g.clone()
        if clip:
            torch.nn.utils.clip_grad_norm_(params, clip)
        optimizer.step()
        with torch.no_grad():
            for p in params:
                if clamp:
                    p.clamp_(-clamp, clamp)
            if ema is not None:
                for a, p in zip(average, params):
                    a.mul_(ema).add_(p, alpha=1 - ema)
        rows.append(torch.cat([p.detach() for p in params]).tolist())
        averages.append(torch.cat(average).tolist())
    return (rows, averages) if ema is not None else rows


def optimizers():
    o = torch.optim
    with open("optim_numbers.h", "w") as out:
        out.write("/* Written by make_optim.py with PyTorch: 10 steps of each optimizer. */\n"
                  "/* clang-format off */\n")
        out.write(f"enum {{ STEPS = {STEPS}, COUNT = {COUNT}, FIRST = {SIZES[0]} }};\n")
        block(out, "start", [START.tolist()])
        block(out, "gradient", GRADS.tolist())
        block(out, "adam_pix2pix", run(lambda p: o.Adam(p, 0.01, (0.5, 0.999))))
        block(out, "adam_decay", run(lambda p: o.Adam(p, 0.02, (0.9, 0.99), weight_decay=0.1)))
        block(out, "adam_clipped", run(lambda p: o.Adam(p, 0.01, (0.5, 0.999)), clip=3.0))
        block(out, "rmsprop", run(lambda p: o.RMSprop(p, 0.01, alpha=0.9)))
        block(out, "rmsprop_clamped", run(lambda p: o.RMSprop(p, 0.01, weight_decay=0.05), clamp=0.5))
        block(out, "sgd", run(lambda p: o.SGD(p, 0.05)))
        block(out, "sgd_momentum", run(lambda p: o.SGD(p, 0.05, momentum=0.9)))
        block(out, "sgd_nesterov",
              run(lambda p: o.SGD(p, 0.05, momentum=0.8, nesterov=True, weight_decay=0.1)))
        block(out, "averaged", run(lambda p: o.SGD(p, 0.05), ema=0.9)[1])


def follow(make, units):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2e-4)
    schedule = make(optimizer)
    rates = []
    for _ in range(units):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


LOSSES = [1.0, 0.9, 0.89995, 0.91, 0.9, 0.95, 0.8, 0.81, 0.85, 0.82, 0.83, 0.84, 0.5, 0.6, 0.6, 0.6,
          0.6, 0.6, 0.6, 0.6, 0.6, 0.6]


def plateau():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2e-4)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.2, patience=2,
                                                          min_lr=1e-6)
    rates = []
    for loss in LOSSES:
        schedule.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


class Restarts(torch.optim.lr_scheduler.LRScheduler):
    """BasicSR's rule: the last unit of a period is still at the bottom."""

    def __init__(self, optimizer, ends, weights, least):
        self.ends, self.weights, self.least = ends, weights, least
        super().__init__(optimizer)

    def get_lr(self):
        k = next(i for i, end in enumerate(self.ends) if self.last_epoch <= end)
        start = self.ends[k - 1] if k else 0
        part = (self.last_epoch - start) / (self.ends[k] - start)
        return [self.least + self.weights[k] * 0.5 * (base - self.least) * (1 + math.cos(math.pi * part))
                for base in self.base_lrs]


def schedules():
    s = torch.optim.lr_scheduler
    rule = lambda epoch: 1.0 - max(0, epoch + 1 - 12) / float(8 + 1)  # lambda_rule, 12 + 8 epochs
    tables = {
        "linear": follow(lambda o: s.LambdaLR(o, rule), 20),
        "step": follow(lambda o: s.StepLR(o, 3, 0.5), 20),
        "multistep": follow(lambda o: s.MultiStepLR(o, [4, 9, 15], 0.1), 20),
        "cosine": follow(lambda o: s.CosineAnnealingLR(o, 20, 1e-6), 21),
        "cosine_restarts": follow(lambda o: Restarts(o, [5, 12, 20, 99], [1, 0.5, 0.25, 0], 1e-6), 21),
        "plateau_loss": LOSSES,
        "plateau": plateau(),
    }
    with open("schedule_numbers.h", "w") as out:
        out.write("/* Written by make_optim.py with PyTorch: rates of each unit, from 2e-4. */\n"
                  "/* clang-format off */\n")
        for name, rates in tables.items():
            out.write(f"static const double {name}[{len(rates)}] = {{\n    "
                      + ", ".join(f"{r:.17g}" for r in rates) + "};\n")


optimizers()
schedules()
