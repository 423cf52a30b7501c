/* Gathering blocks, packing panels, and the loops over tiles. */
#include "kernel/simd/block.h"

/* `length` floats from `skip` on of the run under one kernel row: kw pixels of c channels that
 * start at picture column x0 (which may lie outside) of the row at `line`. */
static inline void copy_run(const float *line, int x0, int w, int c, int skip, int length,
                            float *to)
{
    int64_t low = x0 < 0 ? -(int64_t)x0 * c : 0, high = (int64_t)(w - x0) * c;
    int64_t begin = low > skip ? low : skip;
    int64_t end = high < skip + length ? high : skip + length;
    if (end <= begin) {
        gx_zero(to, length);
        return;
    }
    if (begin > skip)
        gx_zero(to, begin - skip);
    gx_copy(to + (begin - skip), line + (int64_t)x0 * c + begin, end - begin);
    if (end < skip + length)
        gx_zero(to + (end - skip), skip + length - end);
}

struct position {
    int64_t n;
    int py, px;
};

static struct position find(const struct gx_windows *v, int64_t m)
{
    int64_t line = m / v->pw;
    return (struct position){line / v->ph, (int)(line % v->ph), (int)(m % v->pw)};
}

static inline void step(const struct gx_windows *v, struct position *p)
{
    if (++p->px == v->pw) {
        p->px = 0;
        if (++p->py == v->ph) {
            p->py = 0;
            p->n++;
        }
    }
}

/* `depth` floats of runs that lie `line` apart, all inside of the picture, from
 * `skip` floats into the first on. */
static inline void gather_inside(const float *from, int64_t line, int run, int skip, int depth,
                                 float *to)
{
    int length = gx_least(run - skip, depth);
    for (; depth > 0; from += line, skip = 0) {
        gx_copy_over(to, from + skip, length);
        to += length;
        depth -= length;
        length = gx_least(run, depth);
    }
}

void GX_TIERED(gather)(const struct gx_windows *v, int64_t m, int count, int k, int depth,
                       float *block)
{
    int run = v->kw * v->c, first_row = k / run, first_skip = k % run;
    int last = (first_skip + depth - 1) / run; /* kernel rows met after the first */
    struct position p = find(v, m);
    for (int r = 0; r < count; r++, block += GX_LDA, step(v, &p)) {
        const float *x = v->x + p.n * v->h * v->w * v->c;
        int row = p.py * v->step + v->oy + first_row, x0 = p.px * v->step + v->ox;
        int skip = first_skip;
        int64_t line = (int64_t)v->w * v->c, from = row * line + (int64_t)x0 * v->c;
        if (row >= 0 && x0 >= 0 && row + last < v->h && x0 + v->kw <= v->w &&
            from + last * line + run + GX_LANES <= v->h * line) {
            gather_inside(x + from, line, run, skip, depth, block);
            continue;
        }
        for (int done = 0; done < depth; row++, skip = 0) {
            int length = gx_least(run - skip, depth - done);
            if (row < 0 || row >= v->h)
                gx_zero(block + done, length);
            else
                copy_run(x + (int64_t)row * v->w * v->c, x0, v->w, v->c, skip, length,
                         block + done);
            done += length;
        }
    }
}

void GX_TIERED(place)(const struct gx_windows *v, const struct gx_target *to, int64_t m, int count,
                      float **rows)
{
    struct position p = find(v, m);
    for (int r = 0; r < count; r++, step(v, &p))
        rows[r] = to->y + p.n * to->image + p.py * to->row + p.px * to->col;
}

/* The width of the panel that holds `cols` columns. */
static inline int panel_width(int cols)
{
    return cols > GX_LANES ? GX_COLS : GX_LANES;
}

void GX_TIERED(pack)(const float *b, int64_t ldb, int depth, int cols, float *slab)
{
    int whole = cols / GX_COLS * GX_COLS, rest = cols - whole, width = panel_width(rest);
    for (int k = 0; k < depth; k++, b += ldb) {
        float *to = slab + (int64_t)k * GX_COLS;
        for (int n = 0; n < whole; n += GX_COLS, to += (int64_t)depth * GX_COLS) {
            gx_store(to, gx_load(b + n));
            gx_store(to + GX_LANES, gx_load(b + n + GX_LANES));
        }
        if (rest) {
            to = slab + (int64_t)depth * whole + (int64_t)k * width;
            gx_copy(to, b + whole, rest);
            gx_zero(to + rest, width - rest);
        }
    }
}

/* to (4,4; rows `width` apart) = transpose of from (4,4; rows ldb apart). */
static inline void transpose4(const float *from, int64_t ldb, float *to, int width)
{
    typedef float v4 __attribute__((vector_size(16)));
    v4 a = *(const vf4 *)from, b = *(const vf4 *)(from + ldb);
    v4 c = *(const vf4 *)(from + 2 * ldb), d = *(const vf4 *)(from + 3 * ldb);
    v4 ab0 = GX_SHUFFLE(a, b, 0, 4, 1, 5), ab1 = GX_SHUFFLE(a, b, 2, 6, 3, 7);
    v4 cd0 = GX_SHUFFLE(c, d, 0, 4, 1, 5), cd1 = GX_SHUFFLE(c, d, 2, 6, 3, 7);
    *(vf4 *)to = GX_SHUFFLE(ab0, cd0, 0, 1, 4, 5);
    *(vf4 *)(to + width) = GX_SHUFFLE(ab0, cd0, 2, 3, 6, 7);
    *(vf4 *)(to + 2 * width) = GX_SHUFFLE(ab1, cd1, 0, 1, 4, 5);
    *(vf4 *)(to + 3 * width) = GX_SHUFFLE(ab1, cd1, 2, 3, 6, 7);
}

void GX_TIERED(pack_transposed)(const float *b, int64_t ldb, int at, int depth, int total, int cols,
                                float *slab)
{
    for (int n = 0; n < cols;) {
        int width = panel_width(cols - n), count = gx_least(width, cols - n);
        int fours = count / 4 * 4, deep = depth / 4 * 4;
        float *to = slab + (int64_t)at * width;
        /* Rows of b often lie a power of two apart, so that their lines displace one another: each is
         * used up at once. */
        for (int k = 0; k < deep; k += GX_LINE)
            for (int j = 0; j < fours; j += 4)
                for (int q = k; q < k + GX_LINE && q < deep; q += 4)
                    transpose4(b + j * ldb + q, ldb, to + (int64_t)q * width + j, width);
        for (int k = 0; k < depth; k++)
            for (int j = k < deep ? fours : 0; j < width; j++)
                to[(int64_t)k * width + j] = j < count ? b[j * ldb + k] : 0;
        n += count;
        b += count * ldb;
        slab += (int64_t)total * width;
    }
}

/* A tile whose panel is wider than what it stands for, through a copy. */
static void edge_tile(int rows, int width, bool down, int depth, const float *block,
                      const float *panel, float *const *c, int n, int padded, const float *init)
{
    float copy[GX_ROWS][GX_COLS] = {{0}};
    float *to[GX_ROWS];
    for (int r = 0; r < rows; r++) {
        to[r] = copy[r];
        if (!init)
            gx_copy(copy[r], c[r] + n, width);
    }
    GX_TIERED(tile)(rows, padded == GX_COLS, down, depth, block, panel, to, init, NULL);
    for (int r = 0; r < rows; r++)
        gx_copy(c[r] + n, copy[r], width);
}

void GX_TIERED(multiply)(int count, int cols, int depth, bool down, const float *block,
                         struct gx_panels panels, float *const *rows, bool first, const float *bias)
{
    int tiles = (count + GX_ROWS - 1) / GX_ROWS;
    for (int n = 0; n < cols;) {
        int padded = panel_width(cols - n), width = gx_least(padded, cols - n);
        const float *next = !panels.next       ? NULL
                            : n + width < cols ? panels.at + panels.apart
                                               : panels.next;
        float init[GX_COLS] = {0};
        if (first && bias)
            gx_copy(init, bias + n, width);
        for (int t = 0; t < tiles; t++) {
            int r0 = count * t / tiles, high = count * (t + 1) / tiles - r0;
            const float *a = block + (down ? r0 : (int64_t)r0 * GX_LDA);
            float *to[GX_ROWS];
            if (width < padded) {
                edge_tile(high, width, down, depth, a, panels.at, rows + r0, n, padded,
                          first ? init : NULL);
                continue;
            }
            for (int r = 0; r < high; r++)
                to[r] = rows[r0 + r] + n;
            struct gx_soon soon = {0};
            if (next)
                soon = gx_soon_of(next, (int64_t)depth * GX_COLS, depth, t, tiles);
            GX_TIERED(tile)
            (high, padded == GX_COLS, down, depth, a, panels.at, to, first ? init : NULL,
             next ? &soon : NULL);
        }
        n += width;
        panels.at += panels.apart;
    }
}

struct gx_part GX_TIERED(split)(int64_t m, int n, int id, int threads)
{
    int best = 1;
    double least = 0;
    for (int parts = 1; parts <= threads; parts++) {
        if (threads % parts)
            continue;
        int64_t panels = (n + GX_COLS - 1) / GX_COLS, tiles = (m + GX_ROWS - 1) / GX_ROWS;
        double wide = (double)((panels + parts - 1) / parts) * GX_COLS;
        double high = (double)((tiles + threads / parts - 1) / (threads / parts)) * GX_ROWS;
        double cost = wide * high + 10 * (wide + high);
        if (parts == 1 || cost < least) {
            best = parts;
            least = cost;
        }
    }
    int down = threads / best, i = id / best, j = id % best;
    return (struct gx_part){gx_share(m, GX_ROWS, i, down), gx_share(m, GX_ROWS, i + 1, down),
                            (int)gx_share(n, GX_COLS, j, best),
                            (int)gx_share(n, GX_COLS, j + 1, best)};
}
