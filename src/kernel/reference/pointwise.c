/* Element-by-element functions, in double and rounded once: the fast tiers are held against it. */
#include "kernel/reference/reference.h"

#include <math.h>

static double unary_one(enum gx_unary_kind kind, double x, double a, double b)
{
    switch (kind) {
    case GX_AFFINE:
        return a * x + b;
    case GX_ABS:
        return fabs(x);
    case GX_SIGN:
        return (x > 0) - (x < 0);
    case GX_SQRT:
        return sqrt(x);
    case GX_POW:
        return pow(x, a);
    case GX_EXP:
        return exp(x);
    case GX_LOG:
        return log(x);
    case GX_TANH:
        return tanh(x);
    case GX_SIGMOID:
        return 1 / (1 + exp(-x));
    case GX_SOFTPLUS:
        return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
    case GX_LEAKY_RELU:
        return x > 0 ? x : a * x;
    case GX_CLAMP:
        return x < a ? a : x > b ? b : x;
    case GX_INSIDE:
        return a <= x && x <= b;
    case GX_UNARY_KINDS:
        break;
    }
    return x;
}

void gx_ref_unary(enum gx_unary_kind kind, const float *x, float *y, int64_t count, float a,
                  float b, int threads)
{
    (void)threads;
    for (int64_t i = 0; i < count; i++)
        y[i] = (float)unary_one(kind, x[i], a, b);
}

static float binary_one(enum gx_binary_kind kind, float x, float y, float a)
{
    switch (kind) {
    case GX_ADD:
        return x + y;
    case GX_SUB:
        return x - y;
    case GX_MUL:
        return x * y;
    case GX_DIV:
        return x / y;
    case GX_MAX: /* not a number where either is not */
        return x > y || x != x ? x : y;
    case GX_GREATER:
        return x > y ? 1.0f : x == y ? 0.5f : 0.0f;
    case GX_LEAKY_GATE:
        return y > 0 ? x : a * x;
    case GX_MUL_BELOW:
        return y < 0 ? x * y : 0;
    case GX_BINARY_KINDS:
        break;
    }
    return x;
}

void gx_ref_binary(enum gx_binary_kind kind, const float *x, struct gx_walk wx, const float *y,
                   struct gx_walk wy, float *z, int64_t outer, int64_t rows, int64_t cols, float a,
                   int threads)
{
    (void)threads;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < cols; c++)
                z[(o * rows + r) * cols + c] =
                    binary_one(kind, x[o * wx.outer + r * wx.row + c * wx.col],
                               y[o * wy.outer + r * wy.row + c * wy.col], a);
}

void gx_ref_lay(const float *x, int64_t x_step, float slope, float *y, int64_t y_step, int64_t rows,
                int64_t c, int threads)
{
    (void)threads;
    for (int64_t r = 0; r < rows; r++, x += x_step, y += y_step)
        for (int64_t k = 0; k < c; k++)
            y[k] = x[k] > 0 ? x[k] : slope * x[k];
}

void gx_ref_prelu(const float *x, const float *sign, const float *slopes, bool each, float *y,
                  int64_t rows, int64_t c, int threads)
{
    (void)threads;
    for (int64_t i = 0; i < rows * c; i++)
        y[i] = sign[i] > 0 ? x[i] : slopes[each ? i % c : 0] * x[i];
}
