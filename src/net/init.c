/* First weights: torch.nn.init's distributions, drawn from counter-based streams.
 *
 * Fans and matrices are those of the disk's order, whose first dimension is torch's dimension 0: a
 * transposed convolution's fan in is therefore out * kh * kw, as in torch. */
#include "ganx/network.h"
#include "util/arena.h"
#include "util/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int gx_init_kind_named(const char *name)
{
    static const char *const names[] = {
        [GX_INIT_NORMAL] = "normal",   [GX_INIT_XAVIER] = "xavier",
        [GX_INIT_KAIMING] = "kaiming", [GX_INIT_ORTHOGONAL] = "orthogonal",
        [GX_INIT_TORCH] = "torch",     [GX_INIT_SR] = "sr"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(names[i], name))
            return (int)i;
    return -1;
}

/* FNV-1a over both names; a zero byte keeps ("ab", "c") and ("a", "bc") apart. */
static uint64_t stream_key(const char *network, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    const char *const text[2] = {network ? network : "", name};
    for (int i = 0; i < 2; i++) {
        const char *p = text[i];
        do
            hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
        while (*p++);
    }
    return hash ^ hash >> 56; /* the stream keeps 56 bits */
}

/* Four normal numbers from one block of random words (Box and Muller, both halves of two pairs). */
static void four_normals(const struct gx_random *at, int64_t block, double z[4])
{
    uint32_t word[4];
    gx_random_block(at->seed, at->stream, (uint64_t)block, word);
    for (int i = 0; i < 4; i += 2) {
        double radius = sqrt(-2 * log(((double)word[i] + 0.5) * 0x1p-32));
        double angle = (double)word[i + 1] * (0x1p-32 * 6.283185307179586);
        z[i] = radius * cos(angle);
        z[i + 1] = radius * sin(angle);
    }
}

enum { ALONE = 1 << 14 }; /* numbers that do not repay a second thread */

static void fill_normal(struct gx_random at, float *data, int64_t count, double mean,
                        double deviation)
{
    int64_t blocks = (count + 3) / 4;
#pragma omp parallel for schedule(static) if (count > ALONE)
    for (int64_t b = 0; b < blocks; b++) {
        double z[4];
        four_normals(&at, b, z);
        for (int64_t i = 4 * b; i < 4 * b + 4 && i < count; i++)
            data[i] = (float)(mean + deviation * z[i - 4 * b]);
    }
}

static void fill_uniform(struct gx_random at, float *data, int64_t count, double bound)
{
#pragma omp parallel for schedule(static) if (count > ALONE)
    for (int64_t i = 0; i < count; i++) {
        struct gx_random one = {at.seed, at.stream, (uint64_t)i};
        data[i] = (float)(bound * (2 * (double)gx_random_uniform(&one) - 1));
    }
}

static void fill(float *data, int64_t count, float value)
{
    for (int64_t i = 0; i < count; i++)
        data[i] = value;
}

/* The weight seen as torch's matrix of dimension 0 by all others. */
struct matrix {
    int64_t rows, cols, taps;
};

static struct matrix matrix_of(const struct gx_param *param)
{
    int64_t dims[4];
    int rank = gx_param_dims(param, dims);
    int64_t taps = rank == 4 ? dims[2] * dims[3] : 1;
    return (struct matrix){dims[0], dims[1] * taps, taps};
}

/* Where element (row, col) of the matrix lies in memory. */
static int64_t place(const struct gx_param *param, const struct matrix *m, int64_t row, int64_t col)
{
    if (param->kind == GX_PARAM_LINEAR)
        return row * m->cols + col;
    int64_t in = m->cols / m->taps;
    return (col % m->taps * in + col / m->taps) * m->rows + row;
}

/* Makes the vectors orthonormal (modified Gram-Schmidt): the Q of a QR decomposition whose R has a
 * positive diagonal, which is what torch's sign correction gives. */
static void orthonormalise(double *vector, int64_t count, int64_t length)
{
    for (int64_t k = 0; k < count; k++) {
        double *q = vector + k * length, square = 0;
        for (int64_t i = 0; i < length; i++)
            square += q[i] * q[i];
        for (int64_t i = 0; i < length; i++)
            q[i] /= sqrt(square);
#pragma omp parallel for schedule(static) if ((count - k) * length > 65536)
        for (int64_t j = k + 1; j < count; j++) {
            double *a = vector + j * length, dot = 0;
#pragma omp simd reduction(+ : dot)
            for (int64_t i = 0; i < length; i++)
                dot += q[i] * a[i];
#pragma omp simd
            for (int64_t i = 0; i < length; i++)
                a[i] -= dot * q[i];
        }
    }
}

static void fill_orthogonal(struct gx_random at, struct gx_param *param, double gain)
{
    struct matrix m = matrix_of(param);
    bool tall = m.rows > m.cols; /* then the columns are orthonormal, else the rows */
    int64_t count = tall ? m.cols : m.rows, length = tall ? m.rows : m.cols;
    double *vector = gx_new((size_t)(count * length) * sizeof *vector), z[4];
    for (int64_t i = 0; i < count * length; i++) {
        if (i % 4 == 0)
            four_normals(&at, i / 4, z);
        vector[i] = z[i % 4];
    }
    orthonormalise(vector, count, length);
    for (int64_t k = 0; k < count; k++)
        for (int64_t i = 0; i < length; i++)
            param->data[place(param, &m, tall ? i : k, tall ? k : i)] =
                (float)(gain * vector[k * length + i]);
    free(vector);
}

static const double small_gain = 0.1;

static void fill_weight(struct gx_random at, struct gx_param *param, enum gx_init_kind kind,
                        double gain)
{
    struct matrix m = matrix_of(param);
    double fan_in = (double)m.cols, fan_out = (double)(m.rows * m.taps), deviation = gain;
    switch (kind) {
    case GX_INIT_ORTHOGONAL:
        fill_orthogonal(at, param, gain);
        return;
    case GX_INIT_XAVIER:
        deviation = gain * sqrt(2 / (fan_in + fan_out));
        break;
    case GX_INIT_KAIMING:
        deviation = sqrt(2 / fan_in);
        break;
    case GX_INIT_SR:
        if (param->small) {
            deviation = small_gain * sqrt(2 / fan_in);
            break;
        }               /* fall through */
    case GX_INIT_TORCH: /* kaiming_uniform_ with a = sqrt(5) */
        fill_uniform(at, param->data, gx_count(param->shape), 1 / sqrt(fan_in));
        return;
    case GX_INIT_NORMAL:
        break;
    }
    fill_normal(at, param->data, gx_count(param->shape), 0, deviation);
}

/* PyTorch draws a bias from the same range as the weights beside it. */
static void fill_bias(struct gx_random at, const struct gx_params *params, struct gx_param *bias,
                      enum gx_init_kind kind)
{
    char name[256];
    size_t stem = strlen(bias->name) - strlen("bias");
    snprintf(name, sizeof name, "%.*sweight", (int)stem, bias->name);
    const struct gx_param *weight = gx_params_find(params, name);
    bool zero = !weight || (kind == GX_INIT_SR && weight->small);
    double bound = zero ? 0 : 1 / sqrt((double)matrix_of(weight).cols);
    fill_uniform(at, bias->data, gx_count(bias->shape), bound);
}

/* A random direction: spectral norm starts its power iteration from one. */
static void fill_direction(struct gx_random at, float *data, int64_t count)
{
    fill_normal(at, data, count, 0, 1);
    double square = 0;
    for (int64_t i = 0; i < count; i++)
        square += (double)data[i] * data[i];
    for (int64_t i = 0; i < count; i++)
        data[i] = (float)(data[i] / sqrt(square));
}

void gx_params_initialise(struct gx_params *params, enum gx_init_kind kind, double gain,
                          uint64_t seed, const char *network)
{
    bool as_torch = kind == GX_INIT_TORCH || kind == GX_INIT_SR;
    for (int i = 0; i < params->count; i++) {
        struct gx_param *param = params->param[i];
        int64_t count = gx_count(param->shape);
        struct gx_random at = gx_random_at(seed, GX_STREAM_INIT, stream_key(network, param->name));
        switch (param->kind) {
        case GX_PARAM_CONV:
        case GX_PARAM_CONV_TRANSPOSED:
        case GX_PARAM_LINEAR:
            fill_weight(at, param, kind, gain);
            break;
        case GX_PARAM_NORM_WEIGHT:
            fill_normal(at, param->data, count, 1, as_torch ? 0 : gain);
            break;
        case GX_PARAM_BIAS:
            if (as_torch)
                fill_bias(at, params, param, kind);
            else
                fill(param->data, count, 0);
            break;
        case GX_PARAM_NORM_BIAS:
        case GX_PARAM_RUNNING_MEAN:
            fill(param->data, count, 0);
            break;
        case GX_PARAM_RUNNING_VAR:
            fill(param->data, count, 1);
            break;
        case GX_PARAM_SLOPE:
            fill(param->data, count, 0.25f);
            break;
        case GX_PARAM_STATE:
            fill_direction(at, param->data, count);
            break;
        }
    }
}
