#!/usr/bin/env python3
"""Makes tests/reference/op/*.safetensors: what PyTorch says about every operator.

For each case: inputs x0, x1, ...; the value y; the gradients dx0, dx1, ... of sum(y dy); and the
gradients d2x0, ..., d2dy of sum(dx0 r0) + sum(dx1 r1) ... The cotangents dy, r0, r1 ... are not
stored: both sides compute them (cotangent() below). All are NHWC with weights (kh, kw, in, out), as
in ganx. Computed in double, stored as float32. A tensor that is missing is zero. Run it from
anywhere; it needs torch and numpy.
"""
import json
import os
import struct
import zlib

import numpy as np
import torch
import torch.nn.functional as F

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "op")
files = {}


def write(path, tensors):
    header, blobs, at = {}, [], 0
    for name, t in tensors.items():
        data = t.detach().to(torch.float32).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [at, at + len(data)]}
        blobs.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def cotangent(shape, which):
    """dy for which = 0, r0 for 1, r1 for 2 ...: numbers in [-2, 2] that floats hold exactly."""
    count = int(np.prod(shape))
    return (((torch.arange(count) * 7919 + 131 * which) % 257 - 128) / 64).double().reshape(shape)


class Draw:
    """Inputs of one case: rounded to float32 first, so that both sides see the same numbers."""

    def __init__(self, name):
        self.g = torch.Generator().manual_seed(zlib.crc32(name.encode()))

    def normal(self, *shape):
        return torch.randn(shape, generator=self.g).double()

    def positive(self, *shape):
        return (0.5 + 1.5 * torch.rand(shape, generator=self.g)).double()

    def apart(self, *shape):
        """All values at least 0.05 from each other and from zero: no kink within a difference."""
        count = int(np.prod(shape))
        order = torch.randperm(count, generator=self.g).double()
        return ((order - count // 2 + 0.5) * 0.05).float().double().reshape(shape)


def case(file, name, fn, *inputs):
    """inputs: (kind, shape) pairs, or tensors."""
    draw = Draw(name)
    x = [getattr(draw, i[0])(*i[1]) if isinstance(i, tuple) else i.double() for i in inputs]
    x = [t.clone().requires_grad_() for t in x]
    y = fn(*x)
    assert y.dim() == 4, name
    dy = cotangent(y.shape, 0).requires_grad_()
    out = {f"x{i}": t for i, t in enumerate(x)}
    out["y"] = y
    if y.requires_grad:
        dx = torch.autograd.grad((y * dy).sum(), x, create_graph=True, allow_unused=True)
        s = torch.zeros((), dtype=torch.float64)
        for i, t in enumerate(dx):
            if t is None:
                continue
            out[f"dx{i}"] = t
            s = s + (t * cotangent(t.shape, i + 1)).sum()
        if s.requires_grad:
            d2 = torch.autograd.grad(s, x + [dy], allow_unused=True)
            for i, t in enumerate(d2):
                if t is not None and t.abs().max() > 0:
                    out["d2dy" if i == len(x) else f"d2x{i}"] = t
    tensors = files.setdefault(file, {})
    for key, t in out.items():
        assert torch.isfinite(t).all(), (name, key)
        tensors[f"{name}/{key}"] = t


def nchw(t):
    return t.permute(0, 3, 1, 2)


def nhwc(t):
    return t.permute(0, 2, 3, 1)


def on_nchw(fn):
    return lambda x: nhwc(fn(nchw(x)))


N, P, A = "normal", "positive", "apart"


def pointwise():
    f = "pointwise"
    s = (2, 3, 4, 3)
    case(f, "affine", lambda x: 1.5 * x - 0.25, (N, s))
    case(f, "scale", lambda x: -0.3 * x, (N, s))
    case(f, "abs", torch.abs, (A, s))
    case(f, "abs_zero", torch.abs, torch.tensor([-1.0, 0.0, 2.0]).reshape(1, 1, 3, 1))
    case(f, "sign", torch.sign, (A, s))
    case(f, "sqrt", torch.sqrt, (P, s))
    case(f, "pow", lambda x: x**2.5, (P, s))
    case(f, "pow_inverse", lambda x: x**-1.0, (P, s))
    case(f, "pow_cube", lambda x: x**3, (A, s))
    case(f, "square", torch.square, (N, s))
    case(f, "exp", torch.exp, (N, s))
    case(f, "log", torch.log, (P, s))
    case(f, "tanh", torch.tanh, (N, s))
    case(f, "sigmoid", torch.sigmoid, (N, s))
    far = torch.tensor([-120.0, -40.0, -15.0, -3.0, 0.0, 3.0, 15.0, 40.0, 120.0]).reshape(1, 1, 9, 1)
    case(f, "sigmoid_far", torch.sigmoid, far)
    case(f, "tanh_far", torch.tanh, far)
    softplus = lambda x: F.softplus(x, threshold=1e9)
    case(f, "softplus", softplus, (N, s))
    case(f, "softplus_far", lambda x: x.clamp(min=0) + torch.log1p(torch.exp(-x.abs())), far[:, :, [0, 1, 2, 3, 5, 6, 7, 8]])
    case(f, "relu", torch.relu, (A, s))
    case(f, "relu_zero", torch.relu, torch.tensor([-1.0, 0.0, 2.0]).reshape(1, 1, 3, 1))
    case(f, "leaky_relu", lambda x: F.leaky_relu(x, 0.2), (A, s))
    case(f, "clamp", lambda x: x.clamp(-0.7, 0.8), (A, s))
    case(f, "stop_gradient", lambda x: x * x.detach(), (N, s))
    shapes = {
        "same": (s, s),
        "scalar": (s, (1, 1, 1, 1)),
        "channel": (s, (1, 1, 1, 3)),
        "channel_first": ((1, 1, 1, 3), s),
        "image": (s, (2, 1, 1, 1)),
        "pixel": (s, (2, 3, 4, 1)),
        "image_channel": (s, (2, 1, 1, 3)),
        "row": (s, (1, 3, 1, 1)),
        "column": (s, (1, 1, 4, 1)),
        "both": ((2, 1, 4, 1), (1, 3, 1, 4)),
        "odd": ((1, 3, 5, 1), (2, 3, 1, 7)),
    }
    for k, (a, b) in shapes.items():
        case(f, "add_" + k, torch.add, (N, a), (N, b))
        case(f, "mul_" + k, torch.mul, (N, a), (N, b))
    for k in ("same", "channel", "channel_first", "both"):
        case(f, "sub_" + k, torch.sub, (N, shapes[k][0]), (N, shapes[k][1]))
        case(f, "div_" + k, torch.div, (N, shapes[k][0]), (P, shapes[k][1]))

    def apart_pair(name, a, b):
        draw = Draw(name)
        # b on the same 0.05 grid, half a step aside
        x = draw.apart(*a)
        y = (draw.apart(*b) * (x.numel() / max(1, int(np.prod(b)))) ** 0.5 / 0.05).round() * 0.05
        return x, (y + 0.02).float()

    for k in ("same", "channel", "both"):
        case(f, "max_" + k, torch.maximum, *apart_pair("max_" + k, *shapes[k]))
    tie = torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 2, 2, 1)
    case(f, "max_tie", torch.maximum, tie, torch.tensor([1.0, 3.0, 2.0, 4.0]).reshape(1, 2, 2, 1))
    case(f, "prelu", lambda x, a: nhwc(F.prelu(nchw(x), a.reshape(-1))), (A, s), (P, (1, 1, 1, 3)))
    case(f, "prelu_one", lambda x, a: nhwc(F.prelu(nchw(x), a.reshape(-1))), (A, s), (P, (1, 1, 1, 1)))
    axes = {"n": [0], "h": [1], "w": [2], "c": [3], "hw": [1, 2], "nhw": [0, 1, 2], "hwc": [1, 2, 3],
            "nc": [0, 3], "nhwc": [0, 1, 2, 3]}
    for k, d in axes.items():
        case(f, "sum_" + k, lambda x: x.sum(d, keepdim=True), (N, s))
    for k in ("hw", "nhw", "c", "nhwc"):
        case(f, "mean_" + k, lambda x: x.mean(axes[k], keepdim=True), (N, s))
    for k, d in {"scalar": (1, 1, 1, 1), "channel": (1, 1, 1, 3), "row": (2, 1, 4, 1), "image": (2, 1, 1, 3)}.items():
        case(f, "broadcast_" + k, lambda x: x.expand(s) * 1, (N, d))


def move():
    f = "move"
    s = (2, 3, 5, 4)
    case(f, "reshape", lambda x: x.reshape(1, 5, 2, 12), (N, s))
    for k in ("0312", "0213", "3210", "1023", "0123", "0231", "0132"):
        case(f, "permute_" + k, lambda x: x.permute(*map(int, k)) * 1, (N, s))
    for i, k in enumerate("nhwc"):
        b = list(s)
        b[i] = 1 + i % 3
        case(f, "concat_" + k, lambda a, c: torch.cat([a, c], i), (N, s), (N, tuple(b)))
    case(f, "concat_self", lambda a: torch.cat([a, a], 3), (N, s))
    case(f, "slice", lambda x: x[1:2, 1:3, 2:5, 1:3] * 1, (N, s))
    case(f, "slice_rows", lambda x: x[:, 1:2, 1:4] * 1, (N, s))
    case(f, "slice_all", lambda x: x * 1, (N, s))
    case(f, "embed", lambda x: F.pad(x, (1, 2, 0, 1, 2, 0, 1, 1)), (N, (1, 2, 3, 2)))
    case(f, "embed_rows", lambda x: F.pad(x, (0, 0, 2, 1, 1, 0)), (N, (2, 2, 3, 2)))
    case(f, "pad_zero", lambda x: F.pad(x, (0, 0, 2, 0, 1, 3)), (N, s))

    def reflect(top, left, bottom, right):
        return on_nchw(lambda x: F.pad(x, (left, right, top, bottom), mode="reflect"))

    def reflect_far(top, left, bottom, right):
        def fn(x):
            rows = np.pad(np.arange(x.shape[1]), (top, bottom), mode="reflect" if x.shape[1] > 1 else "edge")
            cols = np.pad(np.arange(x.shape[2]), (left, right), mode="reflect" if x.shape[2] > 1 else "edge")
            return x[:, rows][:, :, cols]
        return fn

    case(f, "reflect", reflect(1, 3, 2, 4), (N, s))
    case(f, "reflect_three", reflect(3, 3, 3, 3), (N, (1, 4, 7, 1)))
    case(f, "reflect_none", reflect(0, 0, 0, 0), (N, s))
    case(f, "reflect_far", reflect_far(8, 11, 5, 14), (N, (2, 3, 4, 2)))
    case(f, "reflect_two", reflect_far(5, 4, 3, 6), (N, (1, 2, 2, 3)))
    case(f, "reflect_one", reflect_far(2, 3, 4, 0), (N, (2, 1, 1, 3)))
    case(f, "reflect_line", reflect_far(2, 3, 1, 4), (N, (1, 1, 3, 2)))
    for r, c, h, w in ((2, 3, 3, 5), (3, 1, 2, 3), (1, 2, 2, 2), (4, 2, 1, 1)):
        case(f, f"shuffle_{r}", on_nchw(lambda x: F.pixel_shuffle(x, r)), (N, (2, h, w, c * r * r)))
        case(f, f"unshuffle_{r}", on_nchw(lambda x: F.pixel_unshuffle(x, r)), (N, (2, h * r, w * r, c)))
    for k in (1, 2, 3):
        case(f, f"nearest_{k}", on_nchw(lambda x: F.interpolate(x, scale_factor=k, mode="nearest")), (N, (2, 3, 2, 3)))
    for k, (a, b) in {"double": ((2, 3, 4, 2), (6, 8)), "odd": ((1, 3, 5, 3), (7, 11)), "down": ((1, 9, 7, 2), (4, 3)),
                      "mixed": ((1, 7, 3, 1), (3, 10)), "same": ((1, 3, 4, 2), (3, 4)), "point": ((2, 1, 1, 3), (3, 2)),
                      "to_point": ((1, 4, 5, 2), (1, 1))}.items():
        case(f, "bilinear_" + k, on_nchw(lambda x: F.interpolate(x, size=b, mode="bilinear", align_corners=False)), (N, a))


def product():
    f = "product"

    def conv(stride, pad):
        def fn(x, w, b=None):
            return nhwc(F.conv2d(nchw(x), w.permute(3, 2, 0, 1), None if b is None else b.reshape(-1), stride, pad))
        return fn

    def transposed(stride, pad, extra):
        def fn(x, w, b=None):
            return nhwc(F.conv_transpose2d(nchw(x), w.permute(3, 2, 0, 1), None if b is None else b.reshape(-1), stride, pad, extra))
        return fn

    # name: x, kernel, out channels, stride, pad, bias
    for name, x, k, o, s, p, bias in (
        ("conv_1x1", (2, 3, 4, 5), (1, 1), 3, 1, 0, True),
        ("conv_1x1_stride", (1, 5, 4, 3), (1, 1), 2, 2, 0, False),
        ("conv_3x3", (2, 5, 7, 3), (3, 3), 4, 1, 1, True),
        ("conv_3x3_valid", (1, 5, 4, 2), (3, 3), 5, 1, 0, False),
        ("conv_3x3_wide", (1, 3, 4, 2), (3, 3), 2, 1, 2, True),
        ("conv_3x3_stride", (1, 6, 7, 2), (3, 3), 3, 2, 1, True),
        ("conv_4x4_stride", (2, 7, 9, 3), (4, 4), 5, 2, 1, True),
        ("conv_4x4", (1, 6, 5, 2), (4, 4), 3, 1, 1, False),
        ("conv_7x7", (1, 8, 9, 1), (7, 7), 2, 1, 3, True),
        ("conv_flat", (1, 4, 6, 2), (1, 3), 2, 1, 1, True),
        ("conv_skip", (1, 8, 7, 2), (2, 2), 2, 3, 0, True),
        ("conv_point", (2, 1, 1, 3), (3, 3), 4, 1, 1, True),
        ("conv_point_stride", (2, 2, 2, 1), (4, 4), 1, 2, 1, False),
        ("conv_winograd", (1, 7, 6, 16), (3, 3), 16, 1, 1, True),
        ("conv_winograd_valid", (2, 6, 9, 16), (3, 3), 16, 1, 0, False),
        ("conv_winograd_4x4", (1, 6, 5, 16), (4, 4), 16, 1, 1, True),
        ("conv_stride_sixteen", (1, 8, 13, 16), (4, 4), 16, 2, 1, True),
    ):
        b = [(N, (1, 1, 1, o))] if bias else []
        case(f, name, conv(s, p), (N, x), (N, (*k, x[3], o)), *b)
    for name, x, k, i, s, p, extra, bias in (
        ("transposed_4x4", (2, 3, 4, 3), (4, 4), 2, 2, 1, 0, True),
        ("transposed_3x3", (1, 3, 4, 3), (3, 3), 2, 2, 1, 1, True),
        ("transposed_3x3_odd", (1, 3, 2, 2), (3, 3), 3, 2, 1, 0, False),
        ("transposed_plain", (1, 4, 5, 2), (3, 3), 4, 1, 1, 0, True),
        ("transposed_gap", (1, 3, 2, 2), (2, 2), 1, 3, 0, 2, True),
        ("transposed_1x1", (2, 2, 3, 3), (1, 1), 4, 1, 0, 0, False),
        ("transposed_point", (2, 1, 1, 3), (4, 4), 2, 2, 1, 0, True),
        ("transposed_winograd", (1, 7, 6, 16), (3, 3), 16, 1, 1, 0, True),
    ):
        b = [(N, (1, 1, 1, i))] if bias else []
        case(f, name, transposed(s, p, extra), (N, x), (N, (*k, i, x[3])), *b)

    def matmul(ta, tb):
        return lambda a, b: torch.matmul(a.mT if ta else a, b.mT if tb else b)

    for ta in (False, True):
        for tb in (False, True):
            case(f, f"matmul_{'t' if ta else 'n'}{'t' if tb else 'n'}", matmul(ta, tb),
                 (N, (2, 2, 5, 3) if ta else (2, 2, 3, 5)), (N, (2, 2, 4, 5) if tb else (2, 2, 5, 4)))
    case(f, "matmul_dot", matmul(False, False), (N, (1, 1, 1, 7)), (N, (1, 1, 7, 1)))
    linear = lambda x, w, *b: F.linear(x[:, 0, 0], w[0, 0], b[0].reshape(-1) if b else None)[:, None, None]
    case(f, "linear", linear, (N, (3, 1, 1, 5)), (N, (1, 1, 4, 5)), (N, (1, 1, 1, 4)))
    case(f, "linear_plain", linear, (N, (2, 1, 1, 3)), (N, (1, 1, 1, 3)))


def norm():
    f = "norm"
    eps = 1e-5

    def batch(x, w=None, b=None):
        return nhwc(F.batch_norm(nchw(x), None, None, None if w is None else w.reshape(-1),
                                 None if b is None else b.reshape(-1), training=True, eps=eps))

    def image(x, w=None, b=None):
        return nhwc(F.instance_norm(nchw(x), None, None, None if w is None else w.reshape(-1),
                                    None if b is None else b.reshape(-1), eps=eps))

    def by_hand(x, w=None, b=None, dims=(1, 2), e=eps):
        d = x - x.mean(dims, keepdim=True)
        y = d / ((d * d).mean(dims, keepdim=True) + e).sqrt()
        return y if w is None else y * w + b

    def fixed(x, m, w=None, b=None):
        y = (x - m[:, :, 0:1]) / (m[:, :, 1:2] + eps).sqrt()
        return y if w is None else y * w + b

    def moments(dims):
        return lambda x: torch.cat([x.mean(dims, keepdim=True), x.var(dims, correction=0, keepdim=True)], 2)

    s, c = (3, 4, 5, 3), (1, 1, 1, 3)
    affine = [(N, c), (N, c)]
    case(f, "moments_batch", moments((0, 1, 2)), (N, s))
    case(f, "moments_image", moments((1, 2)), (N, s))
    case(f, "batch", batch, (N, s), *affine)
    case(f, "batch_plain", batch, (N, s))
    case(f, "batch_one", batch, (N, (1, 3, 3, 1)), (N, (1, 1, 1, 1)), (N, (1, 1, 1, 1)))
    case(f, "batch_pixels", batch, (N, (5, 1, 1, 7)), (N, (1, 1, 1, 7)), (N, (1, 1, 1, 7)))
    case(f, "batch_wide", batch, (N, (2, 3, 2, 19)), (N, (1, 1, 1, 19)), (N, (1, 1, 1, 19)))
    case(f, "image", image, (N, s), *affine)
    case(f, "image_plain", image, (N, s))
    case(f, "image_one", image, (N, (1, 3, 3, 1)))
    # two pixels are almost -1 and 1, and one is 0: a large eps leaves a gradient to compare
    case(f, "image_two", lambda x, w, b: by_hand(x, w, b, e=0.5), (N, (2, 1, 2, 3)), *affine)
    case(f, "image_point", lambda x, w, b: by_hand(x, w, b, e=0.5), (N, (2, 1, 1, 3)), *affine)
    case(f, "image_shifted", by_hand, (100 + 3 * Draw("shifted").normal(*s)).float())
    stats = Draw("fixed").positive(1, 1, 2, 3).double()
    case(f, "fixed", fixed, (N, s), stats, *affine)
    case(f, "fixed_plain", fixed, (N, s), stats)
    case(f, "fixed_image", fixed, (N, s), Draw("fixed_image").positive(3, 1, 2, 3), *affine)


def pool():
    f = "pool"
    pools = {
        "2x2": (2, 2, 0, (2, 4, 6, 3)), "2x2_odd": (2, 2, 0, (1, 5, 7, 2)), "3x3_stride": (3, 2, 1, (2, 5, 6, 2)),
        "3x3": (3, 1, 1, (1, 4, 5, 2)), "3x3_valid": (3, 1, 0, (1, 5, 4, 1)), "4x4": (4, 3, 2, (1, 7, 6, 2)),
        "1x1": (1, 1, 0, (1, 2, 3, 2)), "point": (3, 1, 1, (2, 1, 1, 3)), "skip": (2, 3, 0, (1, 9, 8, 1)),
        "tall": (2, 2, 0, (1, 37, 3, 1)), "tall_overlap": (5, 2, 2, (1, 37, 3, 1)), "wide": (2, 1, 0, (1, 3, 3, 67)),
    }
    for k, (size, stride, pad, s) in pools.items():
        case(f, "max_" + k, on_nchw(lambda x: F.max_pool2d(x, size, stride, pad)), (A, s))
        case(f, "avg_" + k, on_nchw(lambda x: F.avg_pool2d(x, size, stride, pad)), (N, s))
    ties = torch.tensor([[1.0, 1, 0, 2], [1, 0, 2, 2], [0, 0, 3, 1], [0, 0, 1, 3]]).reshape(1, 4, 4, 1)
    case(f, "max_ties", on_nchw(lambda x: F.max_pool2d(x, 2, 2, 0)), ties)
    case(f, "max_ties_overlap", on_nchw(lambda x: F.max_pool2d(x, 3, 1, 1)), ties)
    case(f, "avg_global", on_nchw(lambda x: F.avg_pool2d(x, 5, 1, 0)), (N, (2, 5, 5, 3)))
    case(f, "log_softmax", lambda x: F.log_softmax(x, 3), (N, (2, 2, 3, 7)))
    case(f, "log_softmax_one", lambda x: F.log_softmax(x, 3), (N, (2, 1, 2, 1)))
    case(f, "log_softmax_far", lambda x: F.log_softmax(x, 3), (torch.tensor([500.0, -500.0]).reshape(2, 1, 1, 1) + Draw("far").normal(2, 1, 2, 5)).float())
    case(f, "softmax", lambda x: F.softmax(x, 3), (N, (2, 2, 3, 7)))
    case(f, "softmax_two", lambda x: F.softmax(x, 3), (N, (3, 1, 1, 2)))


def pattern(shape, which):
    """Inputs that are not stored: numbers in [-2, 2] that floats hold exactly, of no short period."""
    i = torch.arange(int(np.prod(shape)))
    return ((i * (i % 1021) + 131 * which) % 257 - 128).double().reshape(shape) / 64


STRIDE_STEP = 101  # odd: it meets all phases of pictures whose channels are powers of two


def stride():
    """Large pictures with many channels: of y, dx0 and dx1 every 101st number, and each channel's sum.
    x0 and x1 are pattern(.., 0) and pattern(.., 1)."""
    # name: x, kernel, out channels, transposed
    for name, x, k, o, transposed in (
        ("conv_three", (3, 20, 22, 128), 4, 96, False),
        ("conv_four", (1, 53, 55, 16), 4, 36, False),
        ("conv_six", (3, 57, 59, 16), 4, 24, False),
        ("conv_odd", (2, 57, 59, 32), 3, 128, False),
        ("conv_odd_six", (3, 67, 69, 32), 3, 128, False),
        ("transposed", (1, 26, 27, 36), 4, 16, True),
    ):
        w = (k, k, o, x[3]) if transposed else (k, k, x[3], o)
        fn = F.conv_transpose2d if transposed else F.conv2d
        x = [pattern(x, 0).requires_grad_(), pattern(w, 1).requires_grad_()]
        y = nhwc(fn(nchw(x[0]), x[1].permute(3, 2, 0, 1), None, 2, 1))
        dx = torch.autograd.grad((y * cotangent(y.shape, 0)).sum(), x)
        for key, t in {"y": y, "dx0": dx[0], "dx1": dx[1]}.items():
            t = t.detach().contiguous()
            out = files.setdefault("stride", {})
            out[f"{name}/{key}"] = t.reshape(-1)[::STRIDE_STEP]
            out[f"{name}/{key}_sums"] = t.sum((0, 1, 2))


for part in (pointwise, move, product, norm, pool, stride):
    part()
os.makedirs(HERE, exist_ok=True)
total = 0
for name, tensors in files.items():
    path = os.path.join(HERE, name + ".safetensors")
    write(path, tensors)
    total += os.path.getsize(path)
    cases = len({k.split("/")[0] for k in tensors})
    print(f"{name}: {cases} cases, {os.path.getsize(path)} bytes")
print(total, "bytes")
