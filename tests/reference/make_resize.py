"""Prints tests/reference/image/resize.h: small pictures scaled by PyTorch's antialiased interpolate."""
import torch

torch.manual_seed(5)
print("/* made by tests/reference/make_resize.py, PyTorch %s: antialiased interpolate of a 7x5x2 picture */"
      % torch.__version__.split("+")[0])


def out(name, x):
    v = x[0].permute(1, 2, 0).reshape(-1).tolist()
    print("static const float %s[] = {%s};" % (name, ", ".join("%.8ff" % f for f in v)))


x = torch.rand(1, 2, 7, 5)
out("source", x)
for mode in ("bilinear", "bicubic"):
    for h, w in ((7, 9), (3, 2), (11, 3), (1, 1)):
        y = torch.nn.functional.interpolate(x, (h, w), mode=mode, antialias=True)
        out("%s_%dx%d" % (mode, h, w), y)

# As training data are made: interpolate without antialiasing, and MATLAB's imresize.
for mode in ("area", "bilinear", "bicubic"):
    for h, w in ((9, 12), (3, 4), (2, 1)):
        y = torch.nn.functional.interpolate(x, (h, w), mode=mode)
        out("plain_%s_%dx%d" % (mode, h, w), y)


def cubic(t):
    t = abs(t)
    return (1.5 * t - 2.5) * t * t + 1 if t < 1 else ((-0.5 * t + 2.5) * t - 4) * t + 2 if t < 2 else 0


def matrix(side, scale):
    """Row i: the weights of output i, by MATLAB's description of imresize."""
    import math
    rows = math.ceil(side * scale - 1e-9)
    m = torch.zeros(rows, side, dtype=torch.float64)
    widen = min(scale, 1)
    order = list(range(side)) + list(range(side - 1, -1, -1))
    for i in range(rows):
        centre = (i + 0.5) / scale - 0.5
        reach = 2 / widen
        taps = range(math.floor(centre - reach), math.ceil(centre + reach) + 1)
        weight = [cubic((centre - k) * widen) for k in taps]
        for k, v in zip(taps, weight):
            m[i, order[k % (2 * side)]] += v / sum(weight)
    return m


def imresize(x, scale):
    return torch.einsum("iy,jx,ncyx->ncij", matrix(x.shape[2], scale), matrix(x.shape[3], scale),
                        x.double())


for name, scale in (("half", 1 / 2), ("third", 1 / 3), ("quarter", 1 / 4), ("double", 2)):
    out("matlab_" + name, imresize(x, scale))
import sys
if len(sys.argv) > 1:  # a fixture of MATLAB's own numbers
    known = torch.load(sys.argv[1])
    for key, scale in (("x1/2", 1 / 2), ("x1/3", 1 / 3), ("x1/4", 1 / 4), ("x2", 2)):
        y = imresize(known["input"].permute(2, 0, 1)[None], scale)[0].permute(1, 2, 0)
        print(key, (y - known[key]).abs().max().item(), file=sys.stderr)
if len(sys.argv) > 2:  # where a small one of the same form goes: tests/reference/bicubic/bicubic.pth
    x = torch.rand(1, 3, 13, 17)
    small = {"x1/2": 1 / 2, "x1/3": 1 / 3, "x1/4": 1 / 4, "x2": 2}
    small = {key: imresize(x, scale) for key, scale in small.items()}
    torch.save({key: y[0].permute(1, 2, 0).float().contiguous()
                for key, y in dict(input=x, **small).items()}, sys.argv[2])
