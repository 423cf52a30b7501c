/* Of kind "metrics": MATLAB's antialiased bicubic scaling. The file "bicubic" has a picture, "input",
 * height x width x channels, and what it becomes as "x1/2", "x1/3", "x2" and so on. */
#include "parity.h"

#include "ganx/image.h"
#include "ganx/weights.h"

#include <math.h>
#include <stdlib.h>

/* The factor that a name stands for; 0: it is none. */
static double scale_of(const char *name)
{
    char *end;
    double up, by = 1;
    if (name[0] != 'x')
        return 0;
    up = strtod(name + 1, &end);
    if (*end == '/')
        by = strtod(end + 1, &end);
    return *end || !(up > 0) || !(by > 0) ? 0 : up / by;
}

static int read_all(struct gx_weights *file, int at, float **data, struct gx_err *err)
{
    *data = malloc((size_t)gx_weights_info(file, at)->count * sizeof(float) + 1);
    return gx_weights_read(file, at, *data, err);
}

static int check(const struct fixture *f, struct gx_weights *file, int from, int to, double scale,
                 double tolerance, struct gx_err *err)
{
    const struct gx_tensor_info *a = gx_weights_info(file, from), *b = gx_weights_info(file, to);
    float *in = NULL, *want = NULL, *got = malloc((size_t)b->count * sizeof *got + 1);
    if (a->rank != 3 || b->rank != 3 || b->dims[0] != gx_imresize_side((int)a->dims[0], scale) ||
        b->dims[1] != gx_imresize_side((int)a->dims[1], scale)) {
        free(got);
        parity_failed(f, b->name);
        return 0;
    }
    int r = read_all(file, from, &in, err);
    if (!r)
        r = read_all(file, to, &want, err);
    if (!r)
        r = gx_imresize(in, (int)a->dims[0], (int)a->dims[1], (int)a->dims[2], scale, got, err);
    double most = 0;
    for (int64_t i = 0; !r && i < b->count; i++)
        most = fmax(most, fabs((double)got[i] - (double)want[i]));
    if (!r)
        parity_check(f, most, tolerance, "bicubic %s", b->name);
    free(in);
    free(want);
    free(got);
    return r;
}

int parity_bicubic(const struct fixture *f, struct gx_err *err)
{
    struct gx_weights *file = NULL;
    const char *name;
    double tolerance;
    int r = fixture_text(f->json, "bicubic", &name, err), from = -1;
    if (!r)
        r = fixture_number(f->json, "tolerance", &tolerance, err);
    if (!r)
        r = fixture_open(f, name, &file, err);
    if (!r && (from = gx_weights_find(file, "input")) < 0)
        r = gx_fail(err, GX_E_FORMAT, "'%s' has no tensor 'input'", name);
    for (int i = 0; !r && i < gx_weights_count(file); i++) {
        double scale = scale_of(gx_weights_info(file, i)->name);
        if (scale > 0)
            r = check(f, file, from, i, scale, tolerance, err);
    }
    gx_weights_close(&file);
    return r;
}
