/* Element-by-element kernels: plain loops that the compiler turns into vectors of the tier. */
#include "kernel/simd/simd.h"
#include "kernel/simd/elementary.h"
#include "kernel/simd/parts.h"

#include <math.h>
#include <string.h>

/* y[i] = expression of v. "simd" says what "in place" needs: no element depends on another. */
#define LOOP(expression)                                                                           \
    do {                                                                                           \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++)                                        \
        {                                                                                          \
            const float v = x[i];                                                                  \
            y[i] = (expression);                                                                   \
        }                                                                                          \
    } while (0)

/* The exponents that occur are worth loops of their own; others go to the C library. */
static void powers(const float *x, float *y, int64_t n, float a)
{
    if (a == 2.0f)
        LOOP(v * v);
    else if (a == 1.0f)
        LOOP(v);
    else if (a == 3.0f)
        LOOP(v * v * v);
    else if (a == 0.5f)
        LOOP(sqrtf(v));
    else if (a == -0.5f)
        LOOP(1.0f / sqrtf(v));
    else if (a == -1.0f)
        LOOP(1.0f / v);
    else if (a == -2.0f)
        LOOP(1.0f / (v * v));
    else
        for (int64_t i = 0; i < n; i++)
            y[i] = powf(x[i], a);
}

static void unary(enum gx_unary_kind kind, const float *x, float *y, int64_t n, float a, float b)
{
    switch (kind) {
    case GX_AFFINE:
        LOOP(a * v + b);
        break;
    case GX_ABS:
        LOOP(fabsf(v));
        break;
    case GX_SIGN:
        LOOP((v > 0.0f ? 1.0f : 0.0f) - (v < 0.0f ? 1.0f : 0.0f));
        break;
    case GX_SQRT:
        LOOP(sqrtf(v));
        break;
    case GX_POW:
        powers(x, y, n, a);
        break;
    case GX_EXP:
        LOOP(gx_expf(v));
        break;
    case GX_LOG:
        LOOP(gx_logf(v));
        break;
    case GX_TANH:
        LOOP(gx_tanhf(v));
        break;
    case GX_SIGMOID:
        LOOP(gx_sigmoidf(v));
        break;
    case GX_SOFTPLUS:
        LOOP(gx_softplusf(v));
        break;
    case GX_LEAKY_RELU:
        LOOP(v > 0.0f ? v : a * v);
        break;
    case GX_CLAMP:
        LOOP(v < a ? a : v > b ? b : v);
        break;
    case GX_INSIDE:
        LOOP(v < a ? 0.0f : v <= b ? 1.0f : 0.0f);
        break;
    case GX_UNARY_KINDS:
        break;
    }
}

void GX_TIERED(unary)(enum gx_unary_kind kind, const float *x, float *y, int64_t count, float a,
                      float b, int threads)
{
    int parts = gx_parts(count, threads);
    if (parts == 1) {
        unary(kind, x, y, count, a, b);
        return;
    }
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int p = 0; p < parts; p++) {
        int64_t from = gx_share(count, 16, p, parts), to = gx_share(count, 16, p + 1, parts);
        unary(kind, x + from, y + from, to - from, a, b);
    }
}

#undef LOOP
#define LOOP(expression)                                                                           \
    do {                                                                                           \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++)                                        \
        {                                                                                          \
            const float u = x[i], v = y[i];                                                        \
            z[i] = (expression);                                                                   \
        }                                                                                          \
    } while (0)

static void binary(enum gx_binary_kind kind, const float *x, const float *y, float *z, int64_t n,
                   float a)
{
    switch (kind) {
    case GX_ADD:
        LOOP(u + v);
        break;
    case GX_SUB:
        LOOP(u - v);
        break;
    case GX_MUL:
        LOOP(u * v);
        break;
    case GX_DIV:
        LOOP(u / v);
        break;
    case GX_MAX: /* not a number where either is not */
        LOOP(u > v ? u : u != u ? u : v);
        break;
    case GX_GREATER:
        LOOP(u > v ? 1.0f : u == v ? 0.5f : 0.0f);
        break;
    case GX_LEAKY_GATE:
        LOOP(v > 0.0f ? u : a * u);
        break;
    case GX_MUL_BELOW:
        LOOP(v < 0.0f ? u * v : 0.0f);
        break;
    case GX_BINARY_KINDS:
        break;
    }
}

/* Broadcasting. The box is swept in blocks of a few thousand elements: whole rows while rows are
 * short, pieces of a row when they are long. Within a block an operand is either dense, and read
 * where it lies, or it is first spread into a small buffer (once, while the same values repeat), so
 * that there is one dense loop for each kind. */
enum { BLOCK = 2048 };

struct box {
    int64_t outer, rows, cols;
    struct gx_walk x, y;
};

struct operand {
    const float *data;
    struct gx_walk walk;
    int64_t held_outer, held_col, held; /* what the buffer holds, when rows repeat */
    float buffer[BLOCK];
};

static bool goes_on(const struct gx_walk *w, int64_t cols)
{
    return w->row == w->col * cols;
}

/* Makes dimensions that both operands walk as one into one: most calls become a single row. */
static void collapse(struct box *b)
{
    struct gx_walk *x = &b->x, *y = &b->y;
    for (int pass = 0; pass < 2; pass++) {
        if (b->cols == 1 && (x->row | 1) == 1 && (y->row | 1) == 1) {
            x->col = x->row; /* a column is a row of its own */
            y->col = y->row;
        }
        if (b->rows > 1 && !(goes_on(x, b->cols) && goes_on(y, b->cols)))
            break;
        b->cols *= b->rows;
        b->rows = b->outer;
        b->outer = 1;
        x->row = x->outer;
        y->row = y->outer;
    }
    if (x->outer == x->row * b->rows && y->outer == y->row * b->rows) {
        b->rows *= b->outer;
        b->outer = 1;
    }
}

/* The operand's values for rows r.. and columns c.. of a block, dense. */
static const float *dense(struct operand *op, int64_t cols, int64_t o, int64_t r, int64_t rows,
                          int64_t c, int64_t width)
{
    const struct gx_walk *w = &op->walk;
    const float *from = op->data + o * w->outer + r * w->row + c * w->col;
    if (w->col == 1 && (rows == 1 || w->row == cols))
        return from;
    if (w->row == 0 && op->held >= rows * width && op->held_outer == o && op->held_col == c)
        return op->buffer;
    float *to = op->buffer;
    for (int64_t i = 0; i < rows; i++, from += w->row, to += width) {
        const float first = *from;
        if (w->col)
            memcpy(to, from, (size_t)width * sizeof *to);
        else
            for (int64_t j = 0; j < width; j++)
                to[j] = first;
    }
    op->held = rows * width;
    op->held_outer = o;
    op->held_col = c;
    return op->buffer;
}

static void blocks(enum gx_binary_kind kind, const struct box *b, const float *x, const float *y,
                   float *z, float a, int64_t unit, int64_t end)
{
    struct operand px, py;
    px.data = x, px.walk = b->x, px.held = 0;
    py.data = y, py.walk = b->y, py.held = 0;
    int64_t tall = b->cols < BLOCK ? BLOCK / b->cols : 1; /* rows in a block */
    int64_t down = (b->rows + tall - 1) / tall, across = (b->cols + BLOCK - 1) / BLOCK;
    for (; unit < end; unit++) {
        int64_t c = unit % across * BLOCK, r = unit / across % down * tall;
        int64_t o = unit / across / down;
        int64_t rows = b->rows - r < tall ? b->rows - r : tall;
        int64_t width = b->cols - c < BLOCK ? b->cols - c : BLOCK;
        binary(kind, dense(&px, b->cols, o, r, rows, c, width),
               dense(&py, b->cols, o, r, rows, c, width), z + (o * b->rows + r) * b->cols + c,
               rows * width, a);
    }
}

void GX_TIERED(binary)(enum gx_binary_kind kind, const float *x, struct gx_walk wx, const float *y,
                       struct gx_walk wy, float *z, int64_t outer, int64_t rows, int64_t cols,
                       float a, int threads)
{
    struct box b = {outer, rows, cols, wx, wy};
    if (outer * rows * cols == 0)
        return;
    collapse(&b);
    int64_t tall = b.cols < BLOCK ? BLOCK / b.cols : 1;
    int64_t units = b.outer * ((b.rows + tall - 1) / tall) * ((b.cols + BLOCK - 1) / BLOCK);
    int parts = gx_parts(outer * rows * cols, threads);
    if (parts == 1) {
        blocks(kind, &b, x, y, z, a, 0, units);
        return;
    }
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int p = 0; p < parts; p++)
        blocks(kind, &b, x, y, z, a, gx_share(units, 1, p, parts),
               gx_share(units, 1, p + 1, parts));
}

void GX_TIERED(lay)(const float *x, int64_t x_step, float slope, float *y, int64_t y_step,
                    int64_t rows, int64_t c, int threads)
{
    int parts = gx_parts(rows * c, threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (int p = 0; p < parts; p++)
        for (int64_t r = gx_share(rows, 1, p, parts); r < gx_share(rows, 1, p + 1, parts); r++)
            if (slope == 1)
                memcpy(y + r * y_step, x + r * x_step, (size_t)c * sizeof *y);
            else
                unary(GX_LEAKY_RELU, x + r * x_step, y + r * y_step, c, slope, 0);
}
