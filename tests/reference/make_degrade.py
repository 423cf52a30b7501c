"""Prints tests/reference/image/degrade.h: kernels, a filtered picture and a sharpened one by numpy."""
import numpy as np

rng = np.random.default_rng(7)


def bessel(x):
    """J1 by its integral."""
    t = (np.arange(20000) + 0.5) / 20000 * np.pi
    return np.cos(t - np.multiply.outer(x, np.sin(t))).mean(-1)


def out(name, v):
    print("static const float %s[] = {%s};" % (name, ", ".join("%.8ff" % f for f in np.ravel(v))))


def grid(size):
    k = np.arange(size) - size // 2
    return np.meshgrid(k, k)


def shape(size, sx, sy, angle, form):
    x, y = grid(size)
    r = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    inverse = np.linalg.inv(r @ np.diag([sx * sx, sy * sy]) @ r.T)
    p = np.stack([x, y], -1)
    k = form(np.einsum("yxi,ij,yxj->yx", p, inverse, p))
    return k / k.sum()


def sinc(size, cutoff):
    x, y = grid(size)
    r = np.sqrt(x * x + y * y)
    k = np.where(r > 0, cutoff * bessel(cutoff * r) / (2 * np.pi * np.maximum(r, 1e-9)),
                 cutoff * cutoff / (4 * np.pi))
    return k / k.sum()


def gaussian(size, sigma):
    k = np.exp(-0.5 * ((np.arange(size) - size // 2) / sigma) ** 2)
    return k / k.sum()


def filtered(x, kernel):
    r = kernel.shape[0] // 2
    p = np.pad(x, ((r, r), (r, r), (0, 0)), "reflect")
    y = np.zeros_like(x)
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            y += kernel[i, j] * p[i:i + x.shape[0], j:j + x.shape[1]]
    return y


print("/* made by tests/reference/make_degrade.py, numpy */")
out("k_aniso", shape(7, 2, 0.8, 0.6, lambda q: np.exp(-q / 2)))
out("k_generalised", shape(7, 1.5, 2.5, -1, lambda q: np.exp(-0.5 * q ** 0.7)))
out("k_plateau", shape(7, 2, 1, 2, lambda q: 1 / (1 + q ** 1.8)))
out("k_sinc7", sinc(7, 2.0))
out("k_sinc9", sinc(9, np.pi))

# Reflection of a side of 6 by a kernel of 15 goes around more than once.
x = rng.random((6, 9, 3))
out("textured", x)
out("by_aniso", filtered(x, shape(7, 2, 0.8, 0.6, lambda q: np.exp(-q / 2))))
out("by_gaussian", filtered(x, np.outer(gaussian(15, 2), gaussian(15, 2))))

# Real-ESRGAN's sharpening: 51 pixels, whose deviation OpenCV derives as 8.
k = np.outer(gaussian(51, 8), gaussian(51, 8))
y, x = np.mgrid[0:30, 0:32]
step = 0.4 + 0.25 * (x > 15) + 0.15 * (y > 20)
soft = np.stack([step, 0.5 + 0.01 * np.sin(x / 3.0), 0.95 * (x > 20) + 0.03], -1)
blurred = filtered(soft, k)
mask = (np.abs(soft - blurred) * 255 > 10).astype(float)
sharp = np.clip(soft + 0.5 * (soft - blurred), 0, 1)
weight = filtered(mask, k)
sharpened = weight * sharp + (1 - weight) * soft
assert 0.1 < mask.mean() < 0.9
for name, at in (("usm_row", np.s_[10, :, :]), ("usm_column", np.s_[:, 17, :])):
    out(name, sharpened[at])
