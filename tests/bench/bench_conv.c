/* Times the products of convolutions on the best tier of this CPU, or the one named by GANX_CPU:
 *   bench_conv [-t THREADS] [I O K STRIDE PAD H W]
 * One line a shape: milliseconds and GFLOP/s of y, dx and dw by the tiles, and of y and dx by
 * Winograd where that is possible; the best of 9. H and W are of x. Without a shape: those of U-Net
 * 256, PatchGAN 70 and ResNet. */
#include "kernel/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 9 };

struct bench {
    const struct gx_kernels *k;
    struct gx_conv_sizes s;
    float *x, *w, *y;
    void *scratch;
    int threads;
};

/* With one thread, processor time: other programs disturb it less. */
static double now(int threads)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run_y(struct bench *b)
{
    b->k->conv2d(&b->s, b->x, b->w, NULL, b->y, b->scratch, b->threads);
}

static void run_dx(struct bench *b)
{
    b->k->conv2d_dx(&b->s, b->y, b->w, NULL, b->x, b->scratch, b->threads);
}

static void run_dw(struct bench *b)
{
    b->k->conv2d_dw(&b->s, b->x, b->y, b->w, b->scratch, b->threads);
}

static void run_winograd_y(struct bench *b)
{
    b->k->winograd_y(&b->s, b->x, b->w, NULL, b->y, b->scratch, b->threads);
}

static void run_winograd_dx(struct bench *b)
{
    b->k->winograd_dx(&b->s, b->y, b->w, NULL, b->x, b->scratch, b->threads);
}

static void run_winograd_dw(struct bench *b)
{
    b->k->winograd_dw(&b->s, b->x, b->y, b->w, b->scratch, b->threads);
}

static void report(struct bench *b, const char *name, void (*run)(struct bench *))
{
    const struct gx_conv_sizes *s = &b->s;
    double best = 1e9, flops = 2.0 * s->n * s->oh * s->ow * s->o * s->kh * s->kw * s->i;
    run(b);
    for (int j = 0; j < RUNS; j++) {
        double start = now(b->threads);
        run(b);
        double time = now(b->threads) - start;
        best = time < best ? time : best;
    }
    printf("  %s %.3f ms %.0f", name, best * 1e3, flops / best * 1e-9);
}

static float *some(size_t count)
{
    float *x = aligned_alloc(64, (count * sizeof *x + 63) / 64 * 64);
    if (!x)
        abort();
    for (size_t j = 0; j < count; j++)
        x[j] = (float)(j % 13) * 0.01f - 0.06f;
    return x;
}

static void shape(const struct gx_kernels *k, int threads, const int v[7])
{
    struct gx_conv_sizes s = {1, v[5], v[6], v[0], v[1], v[2], v[2], v[3], v[4]};
    s.oh = (s.h + 2 * s.pad - s.kh) / s.stride + 1;
    s.ow = (s.w + 2 * s.pad - s.kw) / s.stride + 1;
    bool winograd = gx_winograd_does(&s);
    size_t room = 0, more;
    for (int p = GX_CONV_Y; p <= GX_CONV_DW; p++) {
        room = (more = k->conv2d_scratch(&s, p, threads)) > room ? more : room;
        if (winograd && (more = k->winograd_scratch(&s, p, threads)) > room)
            room = more;
    }
    struct bench b = {k,
                      s,
                      some((size_t)s.h * s.w * s.i),
                      some((size_t)s.kh * s.kw * s.i * s.o),
                      some((size_t)s.oh * s.ow * s.o),
                      some(room / sizeof(float)),
                      threads};
    printf("%4d %4d k%d s%d p%d %4dx%-4d", s.i, s.o, s.kh, s.stride, s.pad, s.h, s.w);
    report(&b, "y", run_y);
    report(&b, "dx", run_dx);
    report(&b, "dw", run_dw);
    if (winograd) {
        report(&b, "winograd y", run_winograd_y);
        report(&b, "winograd dx", run_winograd_dx);
        report(&b, "winograd dw", run_winograd_dw);
    }
    printf("\n");
    free(b.x), free(b.w), free(b.y), free(b.scratch);
}

int main(int argc, char **argv)
{
    static const int all[][7] = {
        {3, 64, 4, 2, 1, 256, 256},  {64, 128, 4, 2, 1, 128, 128}, {128, 256, 4, 2, 1, 64, 64},
        {256, 512, 4, 2, 1, 32, 32}, {512, 512, 4, 2, 1, 16, 16},  {512, 512, 4, 2, 1, 8, 8},
        {512, 512, 4, 2, 1, 4, 4},   {512, 512, 4, 2, 1, 2, 2},    {512, 1024, 4, 2, 1, 4, 4},
        {512, 1024, 4, 2, 1, 8, 8},  {512, 1024, 4, 2, 1, 32, 32}, {256, 1024, 4, 2, 1, 32, 32},
        {128, 512, 4, 2, 1, 64, 64}, {64, 256, 4, 2, 1, 128, 128}, {3, 128, 4, 2, 1, 256, 256},
        {6, 64, 4, 2, 1, 256, 256},  {256, 512, 4, 1, 1, 32, 32},  {512, 1, 4, 1, 1, 31, 31},
        {256, 256, 3, 1, 1, 64, 64}, {64, 64, 3, 1, 1, 64, 64},    {3, 64, 7, 1, 3, 256, 256},
        {64, 3, 7, 1, 3, 256, 256},  {64, 128, 3, 2, 1, 256, 256}, {256, 256, 1, 1, 0, 64, 64},
    };
    int threads = 2;
    if (argc > 2 && !strcmp(argv[1], "-t")) {
        threads = atoi(argv[2]);
        argc -= 2, argv += 2;
    }
    const char *name = getenv("GANX_CPU");
    const struct gx_kernels *k = name ? gx_kernels_named(name) : gx_kernels_best();
    if (!k || threads < 1 || (argc != 1 && argc != 8)) {
        fprintf(stderr, "bench_conv [-t THREADS] [I O K STRIDE PAD H W]\n");
        return 2;
    }
    int one[7];
    for (int j = 1; j < argc; j++)
        one[j - 1] = atoi(argv[j]);
    for (size_t j = 0; j < (argc > 1 ? 1 : sizeof all / sizeof *all); j++)
        shape(k, threads, argc > 1 ? one : all[j]);
    return 0;
}
