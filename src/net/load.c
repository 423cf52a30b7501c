/* Weight files and networks: which network a file holds, and moving weights in and out. */
#include "net/net.h"

#include "kernel/kernel.h"
#include "util/arena.h"
#include "util/memory.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIFFERENCES_SHOWN = 5,
    READERS_MAX = 8, /* each has room of its own */
    RAISED_IN = 32,  /* parts: a page may take forty times as long as another */
    ROWS_FLOATS = 1 << 18,
    ROWS_UNIT = 32,      /* of gx_param_rows_from_disk's bands */
    KEY_MAX_LENGTH = 256 /* longer than any key that a network here declares */
};

/* ---- what a file says ---- */

const struct gx_tensor_info *gx_seen(const struct gx_weights *file, const char *prefix, int rank,
                                     const char *format, ...)
{
    char key[KEY_MAX_LENGTH];
    size_t start = strlen(prefix);
    if (start >= sizeof key)
        return NULL;
    memcpy(key, prefix, start);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(key + start, sizeof key - start, format, arguments);
    va_end(arguments);
    int i = gx_weights_find(file, key);
    const struct gx_tensor_info *info = i < 0 ? NULL : gx_weights_info(file, i);
    return info && info->rank == rank ? info : NULL;
}

const struct gx_tensor_info *gx_seen_conv(const struct gx_weights *file, const char *prefix,
                                          const char *format, ...)
{
    char name[KEY_MAX_LENGTH];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    const struct gx_tensor_info *plain = gx_seen(file, prefix, 4, "%s.weight", name);
    return plain ? plain : gx_seen(file, prefix, 4, "%s.weight_orig", name);
}

bool gx_seen_spectral(const struct gx_weights *file, const char *prefix, const char *conv)
{
    return gx_seen(file, prefix, 4, "%s.weight_orig", conv);
}

enum gx_norm_kind gx_seen_norm(const struct gx_weights *file, const char *prefix, const char *conv,
                               const char *norm)
{
    if (gx_seen(file, prefix, 1, "%s.weight", norm))
        return GX_NORM_BATCH;
    return gx_seen(file, prefix, 1, "%s.bias", conv) ? GX_NORM_INSTANCE : GX_NORM_NONE;
}

bool gx_seen_size(struct gx_network_spec *spec, const char *name, int64_t value)
{
    return value >= 0 && value <= INT32_MAX && !gx_spec_set(spec, name, (int)value, NULL);
}

/* "(64, 3, 4, 4)"; a scalar is "()". */
static const char *dims_text(char *text, size_t size, int rank, const int64_t *dims)
{
    size_t end = (size_t)snprintf(text, size, "(");
    for (int i = 0; i < rank && end < size; i++)
        end +=
            (size_t)snprintf(text + end, size - end, "%s%lld", i ? ", " : "", (long long)dims[i]);
    if (end < size)
        snprintf(text + end, size - end, ")");
    return text;
}

static bool has_prefix(const char *name, const char *prefix)
{
    return !strncmp(name, prefix, strlen(prefix));
}

int gx_network_infer(struct gx_network_spec *spec, const struct gx_weights *file,
                     const char *prefix, struct gx_err *err)
{
    for (int i = 0; gx_network_at(i); i++) {
        struct gx_network_spec made = gx_network_spec_of(gx_network_at(i));
        if (!made.network->infer(&made, file, prefix)) {
            *spec = made;
            return 0;
        }
    }
    char seen[320] = "";
    int count = 0;
    for (int i = 0; i < gx_weights_count(file); i++) {
        const struct gx_tensor_info *info = gx_weights_info(file, i);
        if (!has_prefix(info->name, prefix))
            continue;
        char dims[96];
        size_t end = strlen(seen);
        if (count++ < 3)
            snprintf(seen + end, sizeof seen - end, "%s'%.60s' %s", end ? ", " : "", info->name,
                     dims_text(dims, sizeof dims, info->rank, info->dims));
    }
    if (!count)
        return gx_fail(err, GX_E_FORMAT, "no tensor's name starts with '%.60s'", prefix);
    return gx_fail(err, GX_E_FORMAT, "the weights belong to no network that is known: %s%s", seen,
                   count > 3 ? ", ..." : "");
}

/* ---- loading ---- */

/* Collects the differences between a file and a network: counts all, words for the first few. */
struct differences {
    char text[640];
    int count;
};

static void differ(struct differences *d, const char *format, ...) GX_PRINTF(2, 3);
static void differ(struct differences *d, const char *format, ...)
{
    if (d->count++ >= DIFFERENCES_SHOWN)
        return;
    size_t end = strlen(d->text);
    end += (size_t)snprintf(d->text + end, sizeof d->text - end, "%s", end ? "; " : "");
    if (end >= sizeof d->text)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(d->text + end, sizeof d->text - end, format, arguments);
    va_end(arguments);
}

static bool in_part(const struct gx_param *param, enum gx_params_part part)
{
    return part == GX_PARTS_ALL || gx_param_trained(param);
}

static bool is_running(const struct gx_param *param)
{
    return param->kind == GX_PARAM_RUNNING_MEAN || param->kind == GX_PARAM_RUNNING_VAR;
}

static bool same_dims(const struct gx_tensor_info *info, int rank, const int64_t *dims)
{
    return info->rank == rank && !memcmp(info->dims, dims, (size_t)rank * sizeof *dims);
}

/* Tensor numbers in the file for each parameter of the part, -1 where there is none. */
static void match(struct differences *d, const struct gx_params *params, enum gx_params_part part,
                  const struct gx_weights *file, const char *prefix, int *at)
{
    for (int i = 0; i < params->count; i++) {
        const struct gx_param *param = params->param[i];
        char key[KEY_MAX_LENGTH], want[96], got[96];
        int64_t dims[4];
        at[i] = -1;
        if (!in_part(param, part))
            continue;
        int rank = gx_param_dims(param, dims);
        snprintf(key, sizeof key, "%s%s", prefix, param->name);
        dims_text(want, sizeof want, rank, dims);
        int found = gx_weights_find(file, key);
        if (found < 0) {
            if (!is_running(param))
                differ(d, "'%s' %s is missing", key, want);
            continue;
        }
        const struct gx_tensor_info *info = gx_weights_info(file, found);
        if (same_dims(info, rank, dims))
            at[i] = found;
        else
            differ(d, "'%s' is %s, should be %s", key,
                   dims_text(got, sizeof got, info->rank, info->dims), want);
    }
}

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

/* Heads on VGG's features that a network without any does not need: torchvision's classifier,
 * LPIPS' weighting of each layer. */
static bool is_spare_head(const struct gx_params *params, const char *name)
{
    static const char *const heads[] = {"classifier.", "lin0.", "lin1.", "lin2.", "lin3.", "lin4."};
    const char *head = NULL;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        head = has_prefix(name, heads[i]) ? heads[i] : head;
    for (int i = 0; i < params->count && head; i++)
        if (!has_prefix(params->param[i]->name, "features."))
            return false;
    return head;
}

/* Counters, and the statistics that old files keep for an instance norm without weights. */
static bool may_be_left(const struct gx_weights *file, const char *name)
{
    if (ends_in(name, ".num_batches_tracked"))
        return true;
    if (!ends_in(name, ".running_mean") && !ends_in(name, ".running_var"))
        return false;
    int stem = (int)(strrchr(name, '.') - name);
    char weight[KEY_MAX_LENGTH];
    if (snprintf(weight, sizeof weight, "%.*s.weight", stem, name) >= (int)sizeof weight)
        return false;
    return gx_weights_find(file, weight) < 0;
}

static void find_unexpected(struct differences *d, const struct gx_params *params,
                            const struct gx_weights *file, const char *prefix)
{
    for (int i = 0; i < gx_weights_count(file); i++) {
        const struct gx_tensor_info *info = gx_weights_info(file, i);
        char dims[96];
        if (!has_prefix(info->name, prefix) ||
            gx_params_find(params, info->name + strlen(prefix)) || may_be_left(file, info->name) ||
            is_spare_head(params, info->name + strlen(prefix)))
            continue;
        differ(d, "'%.100s' %s is unexpected", info->name,
               dims_text(dims, sizeof dims, info->rank, info->dims));
    }
}

static bool all_finite(const float *x, int64_t count)
{
    /* 0 * x is 0 for every finite x, and not a number for the others. */
    enum { LANES = 16 };
    float sum[LANES] = {0}, all = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int k = 0; k < LANES; k++)
            sum[k] += 0.0F * x[i + k];
    for (; i < count; i++)
        all += 0.0F * x[i];
    for (int k = 0; k < LANES; k++)
        all += sum[k];
    return all == 0;
}

/* How many rows are read at once: few enough that they stay in the cache until they are reordered;
 * of a .pth all, since its checksums are of whole tensors. */
static int64_t rows_at_once(const struct gx_param *param, const struct gx_weights *file)
{
    int64_t dims[4], some;
    gx_param_dims(param, dims);
    some = ROWS_FLOATS / (gx_count(param->shape) / dims[0]) / ROWS_UNIT * ROWS_UNIT;
    if (some < ROWS_UNIT)
        some = ROWS_UNIT;
    return some < dims[0] && !strcmp(gx_weights_format(file), "safetensors") ? some : dims[0];
}

/* Of numbers of 16 bits: infinite ones and those that are none have all bits of the exponent. */
static bool all_finite_half(enum gx_dtype dtype, const uint16_t *x, int64_t count)
{
    uint16_t exponent = dtype == GX_F16 ? 0x7c00 : 0x7f80;
    int bad = 0;
    for (int64_t i = 0; i < count; i++)
        bad |= (x[i] & exponent) == exponent;
    return !bad;
}

/* Elements from .. from + count of a tensor, of the parameter's type. */
static int read_some(const struct gx_param *param, struct gx_weights *file, int at, int64_t from,
                     int64_t count, float *to, struct gx_err *err)
{
    const struct gx_tensor_info *info = gx_weights_info(file, at);
    bool own = info->dtype == param->dtype;
    int r = own ? gx_weights_read_own(file, at, from, count, to, err)
                : gx_weights_read_part(file, at, from, count, to, err);
    if (r)
        return r;
    if (param->dtype == GX_F32)
        return all_finite(to, count)
                   ? 0
                   : gx_fail(err, GX_E_FORMAT, "tensor '%s' holds values that are not finite",
                             info->name);
    if (!own)
        gx_kernels_best()->halve(param->dtype, to, to, count, 1);
    if (!all_finite_half(param->dtype, (uint16_t *)to, count))
        return gx_fail(err, GX_E_FORMAT,
                       "tensor '%s' holds values that are not finite, or too large for %s",
                       info->name, gx_dtype_name(param->dtype));
    return 0;
}

/* Room for the most values that are in passing at once; without a file for the largest tensor. */
static float *scratch_of(const struct gx_params *params, enum gx_params_part part,
                         const struct gx_weights *file, struct gx_err *err)
{
    int64_t most = 1, dims[4];
    for (int i = 0; i < params->count; i++) {
        const struct gx_param *param = params->param[i];
        if (!in_part(param, part))
            continue;
        gx_param_dims(param, dims);
        int64_t rows = file ? rows_at_once(param, file) : dims[0];
        int64_t count = gx_count(param->shape) / dims[0] * rows;
        most = count > most ? count : most;
    }
    float *scratch = malloc((size_t)most * sizeof *scratch);
    if (!scratch)
        gx_fail(err, GX_E_NOMEM, "no memory for a tensor of %lld values", (long long)most);
    return scratch;
}

/* Running statistics that the file lacks. */
static void fill_running(const struct gx_param *param, float *to)
{
    for (int64_t k = 0; k < gx_count(param->shape); k++)
        to[k] = param->kind == GX_PARAM_RUNNING_VAR;
}

/* What is read at once: some rows of a tensor. */
struct piece {
    int param;
    int64_t first, rows;
};

/* Gives the pieces of all tensors that the file has, in their order; the others are filled. */
static int cut(const struct gx_params *params, enum gx_params_part part, float *block,
               const struct gx_weights *file, const int *at, struct piece **pieces)
{
    int count = 0, room = 0;
    *pieces = NULL;
    for (int i = 0; i < params->count; i++) {
        const struct gx_param *param = params->param[i];
        int64_t dims[4], rows = rows_at_once(param, file);
        gx_param_dims(param, dims);
        if (at[i] < 0 && in_part(param, part))
            fill_running(param, block + param->offset);
        for (int64_t first = 0; at[i] >= 0 && first < dims[0]; first += rows) {
            if (count == room)
                *pieces = gx_grow(*pieces, (size_t)(room = 2 * room + 256) * sizeof **pieces);
            int64_t left = dims[0] - first;
            (*pieces)[count++] = (struct piece){i, first, left < rows ? left : rows};
        }
    }
    return count;
}

static int read_piece(const struct gx_param *param, const struct piece *piece, float *to,
                      struct gx_weights *file, int at, float *scratch, struct gx_err *err)
{
    int64_t dims[4];
    gx_param_dims(param, dims);
    int64_t row = gx_count(param->shape) / dims[0];
    int r = read_some(param, file, at, piece->first * row, piece->rows * row, scratch, err);
    if (!r)
        gx_param_rows_from_disk(param, piece->first, piece->rows, scratch, to);
    return r;
}

/* In several threads: reading is copying and reordering, which one core does at a fraction of the
 * memory's speed. Of several failures the first piece's is told, whichever came first. */
static int read_all(const struct gx_params *params, enum gx_params_part part, float *block,
                    struct gx_weights *file, const int *at, struct gx_err *err)
{
    struct piece *pieces;
    int r = 0, count = cut(params, part, block, file, at, &pieces), failed = count;
    int threads = omp_get_max_threads() < READERS_MAX ? omp_get_max_threads() : READERS_MAX;
    int64_t floats = part == GX_PARTS_ALL ? params->total : params->trained;
#pragma omp parallel num_threads(threads)
    {
        struct gx_err why;
        float *scratch = scratch_of(params, part, file, &why);
#pragma omp for schedule(dynamic) nowait
        for (int k = 0; k < RAISED_IN; k++)
            gx_block_raise(block, (size_t)floats * sizeof *block, k, RAISED_IN);
#pragma omp for schedule(dynamic)
        for (int k = 0; k < count; k++) {
            int i = pieces[k].param;
            const struct gx_param *param = params->param[i];
            int code = !scratch ? -GX_E_NOMEM
                                : read_piece(param, &pieces[k], block + param->offset, file, at[i],
                                             scratch, &why);
#pragma omp critical(gx_load_failed)
            if (code && k < failed) {
                failed = k;
                r = code;
                if (err)
                    *err = why;
            }
        }
        free(scratch);
    }
    free(pieces);
    return r;
}

/* Fills `at` as match does, or says what differs. */
static int fit(const struct gx_params *params, enum gx_params_part part,
               const struct gx_weights *file, const char *prefix, int *at, struct gx_err *err)
{
    struct differences d = {.count = 0};
    match(&d, params, part, file, prefix, at);
    find_unexpected(&d, params, file, prefix);
    if (!d.count)
        return 0;
    return gx_fail(err, GX_E_FORMAT, "the weights do not fit the network, %d difference%s: %s%s",
                   d.count, d.count == 1 ? "" : "s", d.text,
                   d.count > DIFFERENCES_SHOWN ? "; ..." : "");
}

int gx_params_load_block(const struct gx_params *params, enum gx_params_part part, float *block,
                         struct gx_weights *file, const char *prefix, struct gx_err *err)
{
    int *at = gx_new((size_t)(params->count + 1) * sizeof *at);
    int r = fit(params, part, file, prefix, at, err);
    if (!r)
        r = read_all(params, part, block, file, at, err);
    free(at);
    return r;
}

int gx_params_fit(const struct gx_params *params, const struct gx_weights *file, const char *prefix,
                  struct gx_err *err)
{
    int *at = gx_new((size_t)(params->count + 1) * sizeof *at);
    int r = fit(params, GX_PARTS_ALL, file, prefix, at, err);
    free(at);
    return r;
}

int gx_params_load(struct gx_params *params, struct gx_weights *file, const char *prefix,
                   struct gx_err *err)
{
    return gx_params_load_block(params, GX_PARTS_ALL, params->data, file, prefix, err);
}

/* ---- saving ---- */

void gx_entries_add(struct gx_entries *entries, const char *name, enum gx_dtype dtype, int rank,
                    const int64_t *dims)
{
    size_t room = (size_t)entries->count + 1, length = strlen(name) + 1;
    entries->row = gx_grow(entries->row, room * sizeof *entries->row);
    struct gx_weights_entry *row = &entries->row[entries->count++];
    *row = (struct gx_weights_entry){.dtype = dtype, .rank = rank};
    row->name = memcpy(gx_new(length), name, length);
    memcpy(row->dims, dims, (size_t)rank * sizeof *dims);
}

void gx_params_entries(struct gx_entries *entries, const struct gx_params *params,
                       enum gx_params_part part, const char *prefix, enum gx_dtype dtype)
{
    for (int i = 0; i < params->count; i++) {
        char key[KEY_MAX_LENGTH];
        int64_t dims[4];
        if (!in_part(params->param[i], part))
            continue;
        int rank = gx_param_dims(params->param[i], dims);
        snprintf(key, sizeof key, "%s%s", prefix, params->param[i]->name);
        gx_entries_add(entries, key, dtype, rank, dims);
    }
}

void gx_entries_clear(struct gx_entries *entries)
{
    for (int i = 0; i < entries->count; i++)
        free((char *)entries->row[i].name);
    free(entries->row);
    *entries = (struct gx_entries){0};
}

int gx_params_write(const struct gx_params *params, enum gx_params_part part, const float *block,
                    struct gx_weights_writer *writer, struct gx_err *err)
{
    float *scratch = scratch_of(params, part, NULL, err);
    if (!scratch)
        return -GX_E_NOMEM;
    int r = 0;
    for (int i = 0; i < params->count && !r; i++) {
        const struct gx_param *param = params->param[i];
        if (!in_part(param, part))
            continue;
        gx_param_to_disk(param, block + param->offset, scratch);
        r = gx_weights_write_next(writer, scratch, err);
    }
    free(scratch);
    return r;
}
