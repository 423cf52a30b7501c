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
