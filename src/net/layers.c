/* Layers: parameters and nodes of what the reference implementations' networks are made of. */
#include "net/layers.h"

#include "net/spectral.h"

#include <stdio.h>

enum { NAME_MAX_LENGTH = 192 };

static const float norm_eps = 1e-5F;
static const float norm_momentum = 0.1F;

#define FORMAT_NAME(name, format)                                                                  \
    do {                                                                                           \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        vsnprintf(name, sizeof name, format, arguments);                                           \
        va_end(arguments);                                                                         \
    } while (0)

static struct gx_node *parameter(const struct gx_build *b, const char *name, const char *part,
                                 enum gx_param_kind kind, struct gx_shape shape,
                                 struct gx_param **made)
{
    char key[NAME_MAX_LENGTH + 32];
    snprintf(key, sizeof key, "%s.%s", name, part);
    struct gx_param *param = gx_params_declare(b->params, key, kind, shape);
    if (made)
        *made = param;
    return gx_parameter(b->graph, param);
}

static struct gx_shape row_of(int channels)
{
    return (struct gx_shape){1, 1, 1, channels};
}

static struct gx_node *convolve(const struct gx_build *b, struct gx_node *x, int out,
                                struct gx_layer_conv conv, bool bias, bool spectral,
                                const char *name)
{
    struct gx_shape shape = {conv.kernel, conv.kernel, x->shape.c, out};
    struct gx_param *made = NULL;
    struct gx_node *w = spectral ? gx_spectral_weight(b, shape, name)
                                 : parameter(b, name, "weight", GX_PARAM_CONV, shape, &made);
    struct gx_node *c = NULL;
    if (made)
        made->small = conv.small;
    if (bias)
        c = parameter(b, name, "bias", GX_PARAM_BIAS, row_of(out), NULL);
    struct gx_conv how = {conv.stride, conv.pad, 0};
    return gx_name(b->graph, gx_conv2d(b->graph, x, w, c, how), "%s", name);
}

struct gx_node *gx_layer_conv(const struct gx_build *b, struct gx_node *x, int out,
                              struct gx_layer_conv conv, bool bias, const char *format, ...)
{
    char name[NAME_MAX_LENGTH];
    FORMAT_NAME(name, format);
    return convolve(b, x, out, conv, bias, gx_spec_get(b->spec, "spectral"), name);
}

struct gx_node *gx_layer_conv_spectral(const struct gx_build *b, struct gx_node *x, int out,
                                       struct gx_layer_conv conv, bool bias, const char *format,
                                       ...)
{
    char name[NAME_MAX_LENGTH];
    FORMAT_NAME(name, format);
    return convolve(b, x, out, conv, bias, true, name);
}

struct gx_node *gx_layer_conv_transposed(const struct gx_build *b, struct gx_node *x, int out,
                                         struct gx_layer_conv conv, bool bias, const char *format,
                                         ...)
{
    char name[NAME_MAX_LENGTH];
    FORMAT_NAME(name, format);
    struct gx_shape shape = {conv.kernel, conv.kernel, out, x->shape.c};
    struct gx_node *w = parameter(b, name, "weight", GX_PARAM_CONV_TRANSPOSED, shape, NULL);
    struct gx_node *c = NULL;
    if (bias)
        c = parameter(b, name, "bias", GX_PARAM_BIAS, row_of(out), NULL);
    struct gx_conv how = {conv.stride, conv.pad, conv.output_padding};
    return gx_name(b->graph, gx_conv2d_transposed(b->graph, x, w, c, how), "%s", name);
}

/* Moves running statistics towards those of x, as torch.nn.BatchNorm2d does in training: the
 * variance that is kept is the unbiased one. */
static void move_running(const struct gx_build *b, const struct gx_node *x, struct gx_node *moments,
                         enum gx_norm_over over, struct gx_param *mean, struct gx_param *var)
{
    struct gx_shape s = x->shape, size = {moments->shape.n, 1, 1, s.c};
    struct gx_node *m = gx_slice(b->graph, moments, (struct gx_shape){0, 0, 0, 0}, size);
    struct gx_node *v = gx_slice(b->graph, moments, (struct gx_shape){0, 0, 1, 0}, size);
    double samples = (double)s.h * s.w * (over == GX_OVER_BATCH ? s.n : 1);
    if (samples > 1)
        v = gx_scale(b->graph, v, (float)(samples / (samples - 1)));
    if (over == GX_OVER_IMAGE) {
        m = gx_mean(b->graph, m, GX_AXIS_N);
        v = gx_mean(b->graph, v, GX_AXIS_N);
    }
    gx_update_average(b->graph, mean, m, norm_momentum);
    gx_update_average(b->graph, var, v, norm_momentum);
}

/* An affine norm with running statistics. */
static struct gx_node *norm_tracked(const struct gx_build *b, struct gx_node *x,
                                    enum gx_norm_over over, const char *name)
{
    struct gx_graph *g = b->graph;
    struct gx_shape row = row_of(x->shape.c);
    struct gx_param *mean, *var;
    struct gx_node *w = parameter(b, name, "weight", GX_PARAM_NORM_WEIGHT, row, NULL);
    struct gx_node *c = parameter(b, name, "bias", GX_PARAM_NORM_BIAS, row, NULL);
    struct gx_node *stored_mean =
        parameter(b, name, "running_mean", GX_PARAM_RUNNING_MEAN, row, &mean);
    struct gx_node *stored_var = parameter(b, name, "running_var", GX_PARAM_RUNNING_VAR, row, &var);
    struct gx_node *y;
    if (b->stats == GX_STATS_RUNNING) {
        struct gx_node *moments = gx_concat(g, stored_mean, stored_var, GX_AXIS_W);
        y = gx_norm_fixed(g, x, moments, w, c, norm_eps);
    } else {
        struct gx_node *moments = gx_moments(g, x, over);
        y = gx_norm(g, x, moments, w, c, norm_eps);
        if (b->update_running && mean && var)
            move_running(b, x, moments, over, mean, var);
    }
    return gx_name(g, y, "%s", name);
}

struct gx_node *gx_layer_norm(const struct gx_build *b, struct gx_node *x, enum gx_norm_kind kind,
                              const char *format, ...)
{
    char name[NAME_MAX_LENGTH];
    FORMAT_NAME(name, format);
    if (kind == GX_NORM_NONE)
        return x;
    if (kind == GX_NORM_BATCH)
        return norm_tracked(b, x, GX_OVER_BATCH, name);
    struct gx_node *moments = gx_moments(b->graph, x, GX_OVER_IMAGE);
    struct gx_node *y = gx_norm(b->graph, x, moments, NULL, NULL, norm_eps);
    return gx_name(b->graph, y, "%s", name);
}

struct gx_node *gx_layer_instance_norm_tracked(const struct gx_build *b, struct gx_node *x,
                                               const char *format, ...)
{
    char name[NAME_MAX_LENGTH];
    FORMAT_NAME(name, format);
    return norm_tracked(b, x, GX_OVER_IMAGE, name);
}

struct gx_node *gx_layer_reflect(const struct gx_build *b, struct gx_node *x, int side)
{
    return gx_pad_reflect(b->graph, x, (struct gx_pad){side, side, side, side});
}

struct gx_node *gx_layer_prelu(const struct gx_build *b, struct gx_node *x, int slopes,
                               const char *format, ...)
{
    char name[NAME_MAX_LENGTH];
    FORMAT_NAME(name, format);
    return gx_prelu(b->graph, x,
                    parameter(b, name, "weight", GX_PARAM_SLOPE, row_of(slopes), NULL));
}

struct gx_node *gx_layer_linear(const struct gx_build *b, struct gx_node *x, int out,
                                const char *format, ...)
{
    char name[NAME_MAX_LENGTH];
    FORMAT_NAME(name, format);
    struct gx_shape shape = {1, 1, out, x->shape.c};
    struct gx_node *w = parameter(b, name, "weight", GX_PARAM_LINEAR, shape, NULL);
    struct gx_node *c = parameter(b, name, "bias", GX_PARAM_BIAS, row_of(out), NULL);
    return gx_name(b->graph, gx_linear(b->graph, x, w, c), "%s", name);
}

/* The windows of one axis, a slice each: they are few, and mostly one pixel. */
static struct gx_node *pool_axis(struct gx_graph *g, struct gx_node *x, int side, bool rows)
{
    struct gx_node *y = NULL;
    int length = rows ? x->shape.h : x->shape.w, axis = rows ? GX_AXIS_H : GX_AXIS_W;
    for (int i = 0; i < side && length != side; i++) {
        int from = (int)((int64_t)i * length / side);
        int to = (int)(((int64_t)(i + 1) * length + side - 1) / side);
        struct gx_shape at = {0}, size = x->shape;
        *(rows ? &at.h : &at.w) = from;
        *(rows ? &size.h : &size.w) = to - from;
        struct gx_node *mean = gx_mean(g, gx_slice(g, x, at, size), axis);
        y = y ? gx_concat(g, y, mean, axis) : mean;
    }
    return y ? y : x;
}

struct gx_node *gx_layer_adaptive_pool(const struct gx_build *b, struct gx_node *x, int side)
{
    return pool_axis(b->graph, pool_axis(b->graph, x, side, true), side, false);
}

struct gx_node *gx_layer_flatten(const struct gx_build *b, struct gx_node *x)
{
    const int order[] = {0, 3, 1, 2};
    struct gx_shape s = x->shape;
    int64_t values = (int64_t)s.h * s.w * s.c;
    if (values > INT32_MAX) {
        gx_graph_fail(b->graph, GX_E_SHAPE, "%lld values are too many for a dense layer",
                      (long long)values);
        return x;
    }
    return gx_reshape(b->graph, gx_permute(b->graph, x, order),
                      (struct gx_shape){s.n, 1, 1, (int)values});
}
