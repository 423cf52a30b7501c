#include "kernel/simd/winograd_job.h"

enum {
    FIT = 3 << 17, /* floats of a batch: 1.5 MiB, for L2 */
    LEAST = 64,    /* tiles; fewer would not repay transforming the weights. Measured: */
    LEAST_6 = GX_LANES > 8 ? 64 : 40, /* with six points, whose sums are more */
    WEIGHTS = 10,   /* tiles whose products cost as much as to read and transform a chunk of the
                    weights */
    WEIGHTS_3 = 18, /* with three points, which are fewer products for a weight */
    KEPT = 128,     /* tiles of a batch where transforms are kept: L2 has sums and weights */
    KEPT_MOST = 128 << 20, /* bytes: more are read from memory, and little is won */
    SHARED = 12, /* tenths of its time that a shared batch takes: waiting, and reading what the
                    other threads have transformed */
};

/* Tiles of a batch: as many as stay in L2 with so many channels. */
static int fit_of(const struct gx_winograd_job *j, int channels)
{
    int width = (channels + GX_LANES - 1) / GX_LANES * GX_LANES;
    return gx_least(FIT / j->elements / width, GX_BLOCK_ROWS);
}

/* How the work is divided: between threads by the time of the slowest, in tiles times panels. */
static void plan(struct gx_winograd_job *j, int images, int threads)
{
    j->images = images;
    j->elements = j->form.points * j->form.points;
    j->chunk = j->form.points == GX_POINTS ? GX_DEPTH / 2 : GX_DEPTH;
    j->slab_step = gx_apart(j->chunk * GX_COLS);
    int64_t all = gx_winograd_tiles(j), each = (all + threads - 1) / threads;
    int panels = gx_winograd_panels(j), few = (panels + threads - 1) / threads;
    j->group = 1;
    j->fit = j->kept ? KEPT : fit_of(j, j->depth);
    if (!j->kept && j->fit < (j->form.points == GX_POINTS ? LEAST_6 : LEAST) && j->fit < all) {
        j->group = panels;
        j->fit = fit_of(j, gx_least(j->depth, j->chunk));
    }
    int weights = j->form.points == 3 ? WEIGHTS_3 : WEIGHTS;
    j->shared = !j->kept && SHARED * few * (all + weights * gx_winograd_batches(j, all)) <
                                10 * panels * (each + weights * gx_winograd_batches(j, each));
    if (j->shared)
        j->group = gx_least(j->group, few);
    int64_t tiles = j->shared ? all : each, batches = gx_winograd_batches(j, tiles);
    j->layout = gx_layout_of(j->elements, j->depth, (int)((tiles + batches - 1) / batches));
    j->each = (int)each;
}

struct gx_winograd_job GX_TIERED(winograd_job_y)(const struct gx_conv_sizes *s, int threads)
{
    struct gx_winograd_job j = {
        .form = gx_winograd_of(s), .wi = s->i, .wo = s->o, .k = s->kh, .panel = s->panel};
    int m = j.form.m, apart = s->shuffled ? 2 : 1, out = s->o / (apart * apart);
    j.tiles =
        (struct gx_tiles){NULL, s->h, s->w, s->i, s->stride, -s->pad, -s->pad, j.form.points, m};
    j.tiles.pixel = s->x_step ? s->x_step : s->i;
    j.tiles.mirrored = s->mirrored;
    j.tiles.down = (s->oh + m - 1) / m;
    j.tiles.across = (s->ow + m - 1) / m;
    j.output =
        (struct gx_output){NULL, s->oh * apart, s->ow * apart, out, s->y_step ? s->y_step : out};
    j.output.apart = apart;
    j.output.shuffled = s->shuffled;
    j.in = s->i;
    j.depth = s->i * s->stride * s->stride;
    j.out_phases = apart * apart;
    j.kept = s->kept, j.have = s->have;
    plan(&j, s->n, threads);
    return j;
}

struct gx_winograd_job GX_TIERED(winograd_job_dx)(const struct gx_conv_sizes *s, int first,
                                                  int phases, int threads)
{
    struct gx_winograd_job j = {
        .form = gx_winograd_of(s), .wi = s->i, .wo = s->o, .k = s->kh, .panel = s->panel};
    struct gx_lines l = gx_dx_lines(s, phases > 1 ? -1 : first);
    int m = j.form.m, before = j.form.r - 1, row = l.row.first, col = l.col.first;
    j.turned = true;
    j.tiles = (struct gx_tiles){NULL,         s->oh,        s->ow,         s->o, 1,
                                row - before, col - before, j.form.points, m};
    j.tiles.down = (l.row.count + m - 1) / m;
    j.tiles.across = (l.col.count + m - 1) / m;
    j.output = (struct gx_output){
        NULL,     s->h, s->w, s->i, s->i, s->stride * row - s->pad, s->stride * col - s->pad,
        s->stride};
    j.in = j.depth = s->o;
    j.out_phases = phases;
    j.phase = first;
    plan(&j, s->n, threads);
    return j;
}

static size_t blocks_floats(const struct gx_winograd_job *j)
{
    return j->kept ? gx_kept_floats(j, j->kept) : gx_layout_floats(&j->layout);
}

/* Floats of a thread's, without the blocks. */
static size_t room_floats(const struct gx_winograd_job *j)
{
    int width = j->kept ? j->kept + GX_LANES : j->layout.width;
    return (size_t)j->elements * (j->layout.tiles * j->group * GX_COLS + j->slab_step + width) +
           (size_t)GX_TAPS * GX_TAPS * GX_GROUP * GX_COLS;
}

struct gx_winograd_room GX_TIERED(winograd_room)(const struct gx_winograd_job *j, float *base,
                                                 int id)
{
    size_t blocks = blocks_floats(j), own = room_floats(j);
    struct gx_winograd_room r = {.blocks = base + (j->shared ? 0 : id * (blocks + own))};
    r.sums = j->shared ? base + blocks + id * own : r.blocks + blocks;
    r.slab = r.sums + (size_t)j->elements * j->layout.tiles * j->group * GX_COLS;
    r.taps = r.slab + j->elements * j->slab_step;
    r.patch = r.taps + (size_t)GX_TAPS * GX_TAPS * GX_GROUP * GX_COLS;
    return r;
}

size_t GX_TIERED(winograd_scratch)(const struct gx_conv_sizes *s, enum gx_conv_product product,
                                   int threads)
{
    size_t most = 0;
    if (product == GX_CONV_DW)
        return GX_TIERED(winograd_dw_floats)(s, threads) * sizeof(float);
    bool forward = product == GX_CONV_Y;
    for (int p = 0; p < (forward ? 1 : s->stride * s->stride); p += gx_dx_together(s)) {
        struct gx_winograd_job j =
            forward ? GX_TIERED(winograd_job_y)(s, threads)
                    : GX_TIERED(winograd_job_dx)(s, p, gx_dx_together(s), threads);
        size_t floats = threads * room_floats(&j) + (j.shared ? 1 : threads) * blocks_floats(&j);
        most = floats > most ? floats : most;
    }
    return most * sizeof(float);
}

bool GX_TIERED(winograd_keeps)(const struct gx_conv_sizes *s, int threads)
{
    struct gx_conv_sizes alone = *s;
    alone.kept = 0;
    struct gx_winograd_job kept = GX_TIERED(winograd_job_y)(s, threads);
    struct gx_winograd_job j = GX_TIERED(winograd_job_y)(&alone, threads);
    return s->stride == 1 && !j.shared &&
           threads * gx_kept_floats(&kept, s->kept) * sizeof(float) <= KEPT_MOST;
}
