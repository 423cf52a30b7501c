/* The classes of dx: its pixels whose row and column leave the same remainders by the stride meet
 * the same taps of the kernel, so that each of the stride^2 classes is a convolution of g with
 * stride 1 and a part of the kernel. */
#ifndef GX_KERNEL_CLASSES_H
#define GX_KERNEL_CLASSES_H

#include "kernel/simd/block.h"
#include "kernel/simd/half.h"

/* One direction of a class: pixels first, first + stride, ... (count of them) meet `taps` taps, the
 * last of which is `last`, and start at g index `origin`. */
struct gx_line {
    int first, count, taps, last, origin;
};

static inline struct gx_line gx_line_of(int remainder, int size, int k, int stride, int pad)
{
    struct gx_line l;
    l.first = ((remainder - pad) % stride + stride) % stride;
    l.count = size > l.first ? (size - l.first + stride - 1) / stride : 0;
    l.taps = k > remainder ? (k - remainder + stride - 1) / stride : 0;
    l.last = remainder + (l.taps - 1) * stride;
    l.origin = (l.first + pad - remainder) / stride - (l.taps - 1);
    return l;
}

/* The taps of one class: kernel rows ky, ky - stride, ... and the same of columns, so that the rows
 * of g that they meet ascend. */
struct gx_taps {
    struct gx_weight w;
    int kw, i, o, stride, ky, kx, across;
};

/* Those of tap (ty, tx) and channel n of dx: o of them. */
static inline struct gx_weight gx_taps_at(const struct gx_taps *t, int ty, int tx, int n)
{
    int ky = t->ky - ty * t->stride, kx = t->kx - tx * t->stride;
    return gx_weight_at(t->w, ((int64_t)(ky * t->kw + kx) * t->i + n) * t->o);
}

/* A class: the windows of g, where in dx its pixels lie, and its taps of w. */
struct gx_class {
    struct gx_windows windows;
    struct gx_target to;
    struct gx_taps taps;
};

static inline struct gx_class gx_class_of(const struct gx_conv_sizes *s, int number, const float *g,
                                          const void *w, float *dx)
{
    struct gx_line y = gx_line_of(number / s->stride, s->h, s->kh, s->stride, s->pad);
    struct gx_line x = gx_line_of(number % s->stride, s->w, s->kw, s->stride, s->pad);
    return (struct gx_class){
        .windows = {g, s->oh, s->ow, s->o, y.taps, x.taps, 1, y.origin, x.origin, y.count, x.count},
        .to = {dx + ((int64_t)y.first * s->w + x.first) * s->i, (int64_t)s->h * s->w * s->i,
               (int64_t)s->stride * s->w * s->i, (int64_t)s->stride * s->i, dx, s->i},
        .taps = {{w, s->dtype}, s->kw, s->i, s->o, s->stride, y.last, x.last, x.taps}};
}

#endif
