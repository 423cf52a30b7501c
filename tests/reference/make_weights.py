#!/usr/bin/env python3
"""Makes tests/reference/weights/ with PyTorch (and safetensors for one file). Run it from anywhere;
the tests themselves need no Python. Element i of a float tensor is ((7 i + salt) mod 23 - 11) / 8,
which every type holds exactly; integers leave out the division (u8 adds 11), bool is i mod 3 == 0."""
import os
from collections import Counter, OrderedDict

import torch

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights")


def values(dtype, *shape, salt=0):
    count = 1
    for s in shape:
        count *= s
    i = torch.arange(count)
    x = (7 * i + salt) % 23 - 11
    if dtype == torch.bool:
        x = i % 3 == 0
    elif dtype == torch.uint8:
        x = x + 11
    elif dtype.is_floating_point:
        x = x / 8
    return x.to(dtype).reshape(shape)


def all_types():
    d = OrderedDict()
    for name in ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"):
        d[name] = values(getattr(torch, name), 2, 3)
    d["scalar"] = values(torch.float32)
    d["empty"] = values(torch.float32, 0, 3)
    d["transposed"] = values(torch.float32, 4, 3, 2).permute(2, 0, 1)
    d["transposed.half"] = values(torch.float16, 5, 4).t()
    shared = values(torch.float32, 4, 6)
    d["shared"] = shared
    d["shared.row"] = shared[2]
    d["shared.column"] = shared[:, 3]
    d["shared.every.other"] = shared[::2, 1::2]
    d["parameter"] = torch.nn.Parameter(values(torch.float32, 3))
    d["eight"] = values(torch.float32, 1, 2, 1, 2, 1, 2, 1, 2)
    return d


def state(salt):
    return OrderedDict((k, values(torch.float32, *s, salt=salt)) for k, s in
                       (("conv.weight", (2, 1, 3, 3)), ("conv.bias", (2,))))


class Call:
    """Pickles as a call, to make what old versions of PyTorch and Python 2 made."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def old_tensor(t):
    return Call(torch._utils._rebuild_tensor, t.storage(), t.storage_offset(), tuple(t.shape), t.stride())


def star(dim, domains, blocks, seed):
    """StarGAN's generator as its authors saved it: bare names, and norms without running statistics."""
    torch.manual_seed(seed)
    weights = OrderedDict()

    def layer(conv, norm, shape, channels):
        weights[conv + ".weight"] = 0.2 * torch.randn(shape)
        if norm:
            weights[norm + ".weight"] = 1 + 0.2 * torch.randn(channels)
            weights[norm + ".bias"] = 0.2 * torch.randn(channels)

    layer("main.0", "main.1", (dim, 3 + domains, 7, 7), dim)
    layer("main.3", "main.4", (2 * dim, dim, 4, 4), 2 * dim)
    layer("main.6", "main.7", (4 * dim, 2 * dim, 4, 4), 4 * dim)
    for i in range(9, 9 + blocks):
        layer("main.%d.main.0" % i, "main.%d.main.1" % i, (4 * dim, 4 * dim, 3, 3), 4 * dim)
        layer("main.%d.main.3" % i, "main.%d.main.4" % i, (4 * dim, 4 * dim, 3, 3), 4 * dim)
    i = 9 + blocks
    layer("main.%d" % i, "main.%d" % (i + 1), (4 * dim, 2 * dim, 4, 4), 2 * dim)
    layer("main.%d" % (i + 3), "main.%d" % (i + 4), (2 * dim, dim, 4, 4), dim)
    layer("main.%d" % (i + 6), None, (3, dim, 7, 7), 0)
    return weights


def save(name, what, **options):
    torch.save(what, os.path.join(HERE, name), **options)


def main():
    os.makedirs(HERE, exist_ok=True)
    legacy = {"_use_new_zipfile_serialization": False}
    save("types.pth", all_types())
    save("types_legacy.pth", all_types(), **legacy)
    save("types_protocol4.pth", all_types(), pickle_protocol=4)
    save("types_legacy_protocol4.pth", all_types(), pickle_protocol=4, **legacy)
    save("ema.pth", {"params": state(1), "params_ema": state(2)})
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    save("training.pth", {"epoch": 3, "loss": [0.5, float("nan")], "name": "x", "big": 1 << 70, "none": None,
 "long": "y" * 70000, "set": {1, 2}, "milestones": Counter([30, 60]),
                          "optimizer": optimizer.state_dict(),
                          "state_dict": OrderedDict(("module." + k, v) for k, v in state(3).items())})
    save("wrapped.pth", {"iteration": 5, "generator": state(4), "optimizer": {"state": {0: {"m": torch.ones(2)}}}})
    save("several.pth", {"netG": state(5), "netD": state(6), "extra": [torch.ones(1), {"x": torch.ones(2)}]})
    save("tensor.pth", values(torch.float32, 3))
    save("module.pth", torch.nn.Linear(1, 1))
    save("module_legacy.pth", torch.nn.Linear(1, 1), **legacy)
    torch.serialization.set_crc32_options(False)
    save("no_crc.pth", state(7))
    torch.serialization.set_crc32_options(True)
    save("python2_legacy.pth", Call(OrderedDict, [[k, old_tensor(v)] for k, v in state(8).items()]), **legacy)
    save("star.ckpt", star(dim=2, domains=3, blocks=1, seed=9), **legacy)
    script = torch.jit.script(torch.nn.ReLU())
    script.save(os.path.join(HERE, "script.pt"))
    try:
        from safetensors.torch import save_file
        contiguous = {k: v.clone().contiguous() for k, v in all_types().items()}
        save_file(contiguous, os.path.join(HERE, "types.safetensors"), metadata={"format": "pt", "note": "é"})
    except ImportError:
        print("no safetensors package: types.safetensors is left as it is")


if __name__ == "__main__":
    main()
