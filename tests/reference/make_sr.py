#!/usr/bin/env python3
"""Small forward fixtures of the networks of super-resolution, in the layout of PyTorch's reference
ones and in the many forms that published files have: made once, kept beside this script, never
needed by the tests. The networks follow BasicSR and, for SRResNet and its discriminator, the paper.

    python3 make_sr.py       writes forward/{srvgg,esrgan,realesrgan,msrresnet,srresnet,...}_*
"""
import json
import os
import re

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "forward")


def conv3(i, o, stride=1, bias=True):
    return nn.Conv2d(i, o, 3, stride, 1, bias=bias)


def leaky(x, slope=0.2):
    return F.leaky_relu(x, slope)


class SRVGG(nn.Module):
    def __init__(self, cin=3, cout=3, nf=64, nconv=32, scale=4):
        super().__init__()
        self.scale = scale
        parts = [conv3(cin, nf), nn.PReLU(nf)]
        for _ in range(nconv):
            parts += [conv3(nf, nf), nn.PReLU(nf)]
        self.body = nn.ModuleList(parts + [conv3(nf, cout * scale ** 2)])

    def forward(self, x):
        y = x
        for layer in self.body:
            y = layer(y)
        return F.pixel_shuffle(y, self.scale) + F.interpolate(x, scale_factor=self.scale, mode="nearest")


class DenseBlock(nn.Module):
    def __init__(self, nf, gc):
        super().__init__()
        for i in range(5):
            setattr(self, f"conv{i + 1}", conv3(nf + i * gc, gc if i < 4 else nf))

    def forward(self, x):
        seen = [x]
        for i in range(4):
            seen.append(leaky(getattr(self, f"conv{i + 1}")(torch.cat(seen, 1))))
        return self.conv5(torch.cat(seen, 1)) * 0.2 + x


class RRDB(nn.Module):
    def __init__(self, nf, gc):
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(nf, gc) for _ in range(3))

    def forward(self, x):
        return self.rdb3(self.rdb2(self.rdb1(x))) * 0.2 + x


class RRDBNet(nn.Module):
    def __init__(self, cin=3, cout=3, nf=64, nb=23, gc=32, scale=4, direct=False):
        super().__init__()
        self.ups = {1: 0, 2: 1, 4: 2, 8: 3}[scale] if direct else 2
        self.fold = 2 ** self.ups // scale
        self.conv_first = conv3(cin * self.fold ** 2, nf)
        self.body = nn.Sequential(*[RRDB(nf, gc) for _ in range(nb)])
        self.conv_body = conv3(nf, nf)
        for i in range(self.ups):
            setattr(self, f"conv_up{i + 1}", conv3(nf, nf))
        self.conv_hr, self.conv_last = conv3(nf, nf), conv3(nf, cout)

    def forward(self, x):
        f = self.conv_first(F.pixel_unshuffle(x, self.fold) if self.fold > 1 else x)
        f = f + self.conv_body(self.body(f))
        for i in range(self.ups):
            f = leaky(getattr(self, f"conv_up{i + 1}")(F.interpolate(f, scale_factor=2, mode="nearest")))
        return self.conv_last(leaky(self.conv_hr(f)))


class PlainBlock(nn.Module):
    def __init__(self, nf):
        super().__init__()
        self.conv1, self.conv2 = conv3(nf, nf), conv3(nf, nf)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class MSRResNet(nn.Module):
    def __init__(self, cin=3, cout=3, nf=64, nb=16, scale=4):
        super().__init__()
        self.scale, self.factor, self.ups = scale, 2 if scale == 4 else scale, 2 if scale == 4 else 1
        self.conv_first = conv3(cin, nf)
        self.body = nn.Sequential(*[PlainBlock(nf) for _ in range(nb)])
        for i in range(self.ups):
            setattr(self, f"upconv{i + 1}", conv3(nf, nf * self.factor ** 2))
        self.conv_hr, self.conv_last = conv3(nf, nf), conv3(nf, cout)

    def forward(self, x):
        y = self.body(leaky(self.conv_first(x), 0.1))
        for i in range(self.ups):
            y = leaky(F.pixel_shuffle(getattr(self, f"upconv{i + 1}")(y), self.factor), 0.1)
        y = self.conv_last(leaky(self.conv_hr(y), 0.1))
        return y + F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)


class NormBlock(nn.Module):
    def __init__(self, nf):
        super().__init__()
        self.b = nn.Sequential(conv3(nf, nf, bias=False), nn.BatchNorm2d(nf), nn.PReLU(),
                               conv3(nf, nf, bias=False), nn.BatchNorm2d(nf))

    def forward(self, x):
        return x + self.b(x)


class SRResNet(nn.Module):
    def __init__(self, cin=3, cout=3, nf=64, nb=16, scale=4):
        super().__init__()
        factor, parts = 2 if scale == 4 else scale, []
        self.stem = nn.Sequential(nn.Conv2d(cin, nf, 9, 1, 4), nn.PReLU())
        self.body = nn.Sequential(*[NormBlock(nf) for _ in range(nb)], conv3(nf, nf, bias=False), nn.BatchNorm2d(nf))
        for _ in range(2 if scale == 4 else 1):
            parts += [conv3(nf, nf * factor ** 2), nn.PixelShuffle(factor), nn.PReLU()]
        self.up = nn.Sequential(*parts, nn.Conv2d(nf, cout, 9, 1, 4))

    def forward(self, x):
        y = self.stem(x)
        return self.up(y + self.body(y))


class SRGANDiscriminator(nn.Module):
    def __init__(self, cin=3, nf=64, hidden=1024):
        super().__init__()
        parts, c = [conv3(cin, nf), nn.LeakyReLU(0.2)], nf
        for k in range(1, 8):
            o = nf << k // 2
            parts += [conv3(c, o, 1 + k % 2, bias=False), nn.BatchNorm2d(o), nn.LeakyReLU(0.2)]
            c = o
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(6), nn.Flatten(), nn.Linear(c * 36, hidden),
                                        nn.LeakyReLU(0.2), nn.Linear(hidden, 1))

    def forward(self, x):
        return self.classifier(self.features(x))


class VGGDiscriminator(nn.Module):
    def __init__(self, cin=3, nf=64, size=128):
        super().__init__()
        self.pairs, c = 5 if size == 128 else 6, nf
        self.conv0_0 = conv3(cin, nf)
        for k in range(self.pairs):
            o = nf * min(2 ** k, 8)
            if k:
                setattr(self, f"conv{k}_0", conv3(c, o, bias=False))
                setattr(self, f"bn{k}_0", nn.BatchNorm2d(o))
            setattr(self, f"conv{k}_1", nn.Conv2d(o, o, 4, 2, 1, bias=False))
            setattr(self, f"bn{k}_1", nn.BatchNorm2d(o))
            c = o
        self.linear1, self.linear2 = nn.Linear(c * 16, 100), nn.Linear(100, 1)

    def forward(self, x):
        y = leaky(self.conv0_0(x))
        for k in range(self.pairs):
            for j in (0, 1) if k else (1,):
                y = leaky(getattr(self, f"bn{k}_{j}")(getattr(self, f"conv{k}_{j}")(y)))
        return self.linear2(leaky(self.linear1(F.adaptive_avg_pool2d(y, 4).flatten(1))))


NETS = {"srvgg": SRVGG, "rrdbnet": RRDBNet, "msrresnet": MSRResNet, "srresnet": SRResNet,
        "srgan_discriminator": SRGANDiscriminator, "vgg_discriminator": VGGDiscriminator}


def build(net, seed):
    """Every value is one that half precision holds; norms are not at their start."""
    torch.manual_seed(seed)
    model = NETS[net["network"]](**{k: v for k, v in net.items() if k != "network"})
    state = model.state_dict()
    for key, value in state.items():
        if key.endswith("running_mean"):
            value.normal_(0, 0.2)
        elif key.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif value.dim() > 1 and "discriminator" in net["network"]:
            value.mul_(2.4)  # kaiming's size: a picture shall make a difference after so many layers
        elif value.dtype == torch.float32 and value.dim() == 1 and value.shape != (1,):
            value.add_(torch.randn_like(value) * 0.1)
        if value.dtype == torch.float32:
            value.copy_(value.half().float())
    return model


def picture(w, h, channels, seed):
    """Something smooth with an edge; some noise, which compresses badly, where it is small."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w]
    planes = [128 + 80 * np.sin(x / (3 + k) + k) * np.cos(y / (4 + k)) + 40 * (x > w / 2) + random.normal(0, 9 if w < 32 else 0, (h, w))
              for k in range(channels)]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


# ---- the forms of published files ----

def repository_names(state):
    """xinntao/ESRGAN"""
    pairs = (("conv_body", "trunk_conv"), ("conv_up", "upconv"), ("conv_hr", "HRconv"), ("body.", "RRDB_trunk."), (".rdb", ".RDB"))
    out = {}
    for key, value in state.items():
        for new, old in pairs:
            key = key.replace(new, old)
        out[key] = value
    return out


def numbered_names(state):
    """ESRGAN's first files: members of a Sequential, the tail after one triple for each doubling."""
    ups = sum(f"conv_up{i}.bias" in state for i in (1, 2, 3))
    blocks = sum(bool(re.fullmatch(r"body\.\d+\.rdb1\.conv1\.bias", k)) for k in state)
    names = {"conv_first": "model.0", "conv_body": f"model.1.sub.{blocks}", "conv_hr": f"model.{2 + 3 * ups}",
             "conv_last": f"model.{4 + 3 * ups}", **{f"conv_up{i}": f"model.{3 * i}" for i in (1, 2, 3)}}
    out = {}
    for key, value in state.items():
        stem, end = key.rsplit(".", 1)
        dense = re.fullmatch(r"body\.(\d+)\.rdb(\d)\.conv(\d)", stem)
        out[(f"model.1.sub.{dense[1]}.RDB{dense[2]}.conv{dense[3]}.0" if dense else names[stem]) + "." + end] = value
    return out


def half(state):
    return {k: v.half() if v.dtype == torch.float32 else v for k, v in state.items()}


def averaged(state):
    return {"params": {k: torch.randn_like(v) if v.dtype == torch.float32 else v for k, v in state.items()}, "params_ema": state}


def save(state, path, legacy=False):
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)


def write(name, net, image, files, stats, model_of, note):
    """All but the weights. model_of gives the network in a precision and a mode."""
    folder = os.path.join(HERE, name)
    os.makedirs(folder, exist_ok=True)
    Image.fromarray(image if image.shape[2] > 1 else image[..., 0]).save(os.path.join(folder, "input.png"))
    x = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1)[None]
    outputs, worst = [], 0
    for kind in stats:
        with torch.no_grad():
            runs = [model_of(dtype, kind)(x.to(dtype)) for dtype in (torch.float32, torch.float64)]
        worst = max(worst, ((runs[0] - runs[1]).abs().max() / runs[1].abs().max()).item())
        file = "output.pth" if kind in (None, "batch") or len(stats) == 1 else f"output_{kind}.pth"
        torch.save({"output": runs[0]}, os.path.join(folder, file))
        outputs.append({"file": file, "stats": kind})
    description = {"kind": "forward", "net": net, "input": {"file": "input.png", "range": [0, 1.0]}, "label": None,
                   "weights": files, "outputs": outputs, "tolerance": max(1e-4, 20 * worst)}
    with open(os.path.join(folder, "fixture.json"), "w") as f:
        json.dump(description, f, indent=1)
        f.write("\n")
    with open(os.path.join(folder, "NOTE.txt"), "w") as f:
        f.write(f"made by make_sr.py; input range [0,1], RGB or grey{'; ' + note if note else ''}\n")


def fixture(name, net, size, seed, forms, stats=(None,), note=""):
    """forms: file -> what of the state is saved, and whether in the old way."""
    os.makedirs(os.path.join(HERE, name), exist_ok=True)
    for file, (form, legacy) in forms.items():
        save(form(build(net, seed).state_dict()), os.path.join(HERE, name, file), legacy)
    write(name, net, picture(*size, net.get("cin", 3), seed), list(forms), stats,
          lambda dtype, kind: build(net, seed).to(dtype).train(kind == "batch"), note)


def shipped(name, size, seed):
    """What PyTorch makes of a picture with the weights that come with ganx."""
    model, path = SRVGG(), f"../../../../models/{name}.safetensors"
    with open(os.path.join(HERE, path[3:]), "rb") as f:
        data = f.read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    state = {}
    for key, entry in header.items():
        if key != "__metadata__":
            first, last = (start + at for at in entry["data_offsets"])
            state[key] = torch.from_numpy(np.frombuffer(data[first:last], "<f2").astype(np.float32).reshape(entry["shape"]))
    model.load_state_dict(state)
    write(name, {"network": "srvgg", "nf": 64, "nconv": 32, "scale": 4}, picture(*size, 3, seed), [path], (None,),
          lambda dtype, kind: model.to(dtype), "the model that comes with ganx")


def main():
    zipped = {"weights.pth": (half, False)}
    rrdb = {"network": "rrdbnet", "nf": 5, "nb": 1, "gc": 3}
    fixture("srvgg_x4", {"network": "srvgg", "nf": 6, "nconv": 3, "scale": 4}, (11, 7), 1,
            {"weights.pth": (lambda s: {"params": half(s)}, False)}, note="under `params`, half precision")
    fixture("srvgg_x3_grey", {"network": "srvgg", "cin": 1, "cout": 1, "nf": 5, "nconv": 1, "scale": 3}, (6, 9), 2,
            {"weights.pth": (averaged, False)}, note="`params_ema` is preferred to `params`")
    fixture("esrgan_x4", {**rrdb, "nb": 2, "scale": 4}, (7, 5), 3,
            {"weights.pth": (lambda s: half(repository_names(s)), False),
             "weights_legacy.pth": (lambda s: half(numbered_names(s)), True)},
            note="names of xinntao/ESRGAN, and the numbered ones before them as a stacked pickle")
    fixture("esrgan_x2", {**rrdb, "scale": 2, "direct": True}, (7, 6), 4,
            {"weights_legacy.pth": (lambda s: half(numbered_names(s)), True)}, note="numbered names, one doubling")
    fixture("esrgan_x1", {**rrdb, "scale": 1, "direct": True}, (9, 5), 5,
            {"weights.pth": (lambda s: half(numbered_names(s)), False)}, note="numbered names, no doubling")
    fixture("realesrgan_x2", {**rrdb, "scale": 2}, (10, 6), 6,
            {"weights.pth": (lambda s: {"params_ema": half(s)}, False)}, note="pixels folded 2x2")
    fixture("realesrgan_x1", {**rrdb, "scale": 1}, (12, 8), 7, zipped, note="pixels folded 4x4")
    fixture("msrresnet_x2", {"network": "msrresnet", "nf": 6, "nb": 2, "scale": 2}, (9, 7), 8, zipped)
    fixture("msrresnet_x3", {"network": "msrresnet", "nf": 5, "nb": 1, "scale": 3}, (7, 9), 9,
            {"weights.pth": (lambda s: {"epoch": 3, "state_dict": {"module." + k: v for k, v in half(s).items()}}, False)},
            note="`state_dict` of a wrapped module")
    fixture("msrresnet_x4", {"network": "msrresnet", "nf": 4, "nb": 1, "scale": 4}, (8, 5), 10,
            {"weights_legacy.pth": (half, True)}, note="stacked pickle")
    for scale in (2, 3, 4):
        fixture(f"srresnet_x{scale}", {"network": "srresnet", "nf": 4, "nb": 2, "scale": scale}, (9, 13 - 2 * scale), 10 + scale,
                zipped, ("running",), "running statistics, as in use")
    judge = {"network": "srgan_discriminator", "nf": 2, "hidden": 8}
    for size, seed in (((96, 96), 15), ((131, 44), 16)):
        fixture(f"srgan_d_{size[0]}x{size[1]}", judge, size, seed, zipped, ("batch", "running"))
    shipped("realesr-general-x4v3", (13, 10), 18)
    fixture("vgg_d_128", {"network": "vgg_discriminator", "nf": 1, "size": 128}, (128, 128), 17, zipped, ("batch", "running"))


if __name__ == "__main__":
    main()
