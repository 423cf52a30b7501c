/* Times the products of convolutions on the best tier of this CPU, or the one named by GANX_CPU:
 *   bench_conv [-t THREADS] [-p] [tune | I O K STRIDE PAD H W [N]]
 * A line a shape, and for y, dx and dw milliseconds and GFLOP/s of the direct method, the best of
 * RUNS; where there is Winograd's, how many times faster that is with each number of points, and a
 * star at what conv2d_method chooses. H and W are of x. Without a shape: those of U-Net 256,
 * PatchGAN 70 and ResNet. -p: y and dx read weights as panels (gx_conv_sizes), where they would when a
 * network only infers. `tune`: the measurements that the choice rests on, over channels and sizes, of
 * operands that lie in memory, as whole networks find them. */
#include "ganx/params.h"
#include "kernel/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 7, OTHERS = 160 << 20, LINE = 64 };

struct bench {
    const struct gx_kernels *k;
    struct gx_conv_sizes s;
    float *x, *w, *y;
    void *scratch;
    int threads;
    bool panels;
    const unsigned char *others; /* OTHERS bytes, or NULL: read before each run, so that the caches
                                    hold nothing else */
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

static void empty_caches(const struct bench *b)
{
    static volatile unsigned sum;
    for (size_t j = 0; b->others && j < OTHERS; j += LINE)
        sum += b->others[j];
}

/* The best time in seconds. */
static double time_of(struct bench *b, void (*run)(struct bench *))
{
    double best = 1e9;
    run(b);
    for (int j = 0; j < RUNS; j++) {
        empty_caches(b);
        double start = now(b->threads);
        run(b);
        double time = now(b->threads) - start;
        best = time < best ? time : best;
    }
    return best;
}

static const enum gx_conv_method methods[] = {GX_CONV_WINOGRAD_3, GX_CONV_WINOGRAD_4,
                                              GX_CONV_WINOGRAD_6};

static void report(struct bench *b, enum gx_conv_product product)
{
    static const struct {
        const char *name;
        void (*direct)(struct bench *), (*winograd)(struct bench *);
    } rows[] = {{"y", run_y, run_winograd_y},
                {"dx", run_dx, run_winograd_dx},
                {"dw", run_dw, run_winograd_dw}};
    struct gx_conv_sizes *s = &b->s;
    int in = product == GX_CONV_Y ? s->i : s->o, out = product == GX_CONV_Y ? s->o : s->i;
    bool panels = b->panels && product != GX_CONV_DW && b->k->panel && in >= GX_PANEL_LEAST;
    s->panel = panels && out % b->k->panel == 0 ? b->k->panel : 0;
    s->method = GX_CONV_GEMM;
    double flops = 2.0 * s->n * s->oh * s->ow * s->o * s->kh * s->kw * s->i;
    double direct = time_of(b, rows[product].direct);
    printf("  %2s %8.3f ms %4.0f", rows[product].name, direct * 1e3, flops / direct * 1e-9);
    for (int j = 0; j < 3; j++) {
        b->s.method = methods[j];
        if (gx_winograd_does(s))
            printf(" %d x%4.2f%c", (int)methods[j], direct / time_of(b, rows[product].winograd),
                   b->k->conv2d_method(s, product) == methods[j] ? '*' : ' ');
    }
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

static void shape(const struct gx_kernels *k, int threads, bool panels, const int v[7], int n,
                  const unsigned char *others)
{
    struct gx_conv_sizes s = {n, v[5], v[6], v[0], v[1], v[2], v[2], v[3], v[4]};
    s.oh = (s.h + 2 * s.pad - s.kh) / s.stride + 1;
    s.ow = (s.w + 2 * s.pad - s.kw) / s.stride + 1;
    size_t room = 0, more;
    for (int p = GX_CONV_Y; p <= GX_CONV_DW; p++) {
        room = (more = k->conv2d_scratch(&s, p, threads)) > room ? more : room;
        for (int j = 0; j < 3; j++) {
            s.method = methods[j];
            if (gx_winograd_does(&s) && (more = k->winograd_scratch(&s, p, threads)) > room)
                room = more;
        }
    }
    struct bench b = {k,
                      s,
                      some((size_t)s.n * s.h * s.w * s.i),
                      some((size_t)s.kh * s.kw * s.i * s.o),
                      some((size_t)s.n * s.oh * s.ow * s.o),
                      some(room / sizeof(float)),
                      threads,
                      panels,
                      others};
    printf("%4d %4d k%d s%d p%d %4dx%-4dx%d", s.i, s.o, s.kh, s.stride, s.pad, s.h, s.w, s.n);
    for (int p = GX_CONV_Y; p <= GX_CONV_DW; p++)
        report(&b, p);
    printf("\n");
    free(b.x), free(b.w), free(b.y), free(b.scratch);
}

static void tune(const struct gx_kernels *k, int threads, bool panels)
{
    static const int kinds[][3] = {{3, 1, 1}, {4, 1, 1}, {3, 2, 1}, {4, 2, 1}},
                     sides[] = {16, 32, 64, 128};
    unsigned char *others = malloc(OTHERS);
    if (!others)
        abort();
    memset(others, 1, OTHERS);
    for (int kind = 0; kind < 4; kind++)
        for (int i = 8; i <= 512; i *= 2)
            for (int o = i; o <= 2 * i; o *= 2)
                for (int side = 0; side < 4; side++) {
                    int h = sides[side], kernel = kinds[kind][0], stride = kinds[kind][1];
                    const int v[] = {i, o, kernel, stride, kinds[kind][2], h, h};
                    if ((double)h * h * i * o * kernel * kernel / stride / stride < 5e9)
                        shape(k, threads, panels, v, 1, others);
                }
    free(others);
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
    bool panels = argc > 1 && !strcmp(argv[1], "-p");
    argc -= panels, argv += panels;
    const char *name = getenv("GANX_CPU");
    const struct gx_kernels *k = name ? gx_kernels_named(name) : gx_kernels_best();
    bool tuning = argc == 2 && !strcmp(argv[1], "tune");
    if (!k || threads < 1 || (argc != 1 && argc != 8 && argc != 9 && !tuning)) {
        fprintf(stderr, "bench_conv [-t THREADS] [-p] [tune | I O K STRIDE PAD H W [N]]\n");
        return 2;
    }
    if (tuning) {
        tune(k, threads, panels);
        return 0;
    }
    int one[8] = {[7] = 1};
    for (int j = 1; j < argc; j++)
        one[j - 1] = atoi(argv[j]);
    for (size_t j = 0; j < (argc > 1 ? 1 : sizeof all / sizeof *all); j++)
        shape(k, threads, panels, argc > 1 ? one : all[j], one[7], NULL);
    return 0;
}
