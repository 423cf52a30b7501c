/* ganx convert: weights from one file into another, a safetensors file.
 *
 * Known generators become a model: the metadata that translation reads, and bare names where there
 * is one, or one was asked for; of a checkpoint the generators alone are kept. Other files keep
 * every tensor, name and text. */
#include "cmd/cmd.h"
#include "family/model_keys.h"
#include "model/card.h"
#include "model/find.h"
#include "util/arena.h"
#include "util/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct conversion {
    struct gx_weights *from;
    const char *out;
    enum gx_dtype dtype;
    struct gx_card card;
    bool known;
    struct {                     /* tensors that are kept: */
        const char *prefix, *to; /* their names start with one, and then with the other */
    } part[GX_GENERATORS_MAX];
    int parts;
    const char *text; /* --card, or NULL */
    int64_t largest;  /* values in the largest tensor that is kept */
    struct gx_arena arena;
};

static enum gx_dtype dtype_of(const char *word)
{
    return !strcmp(word, "f16") ? GX_F16 : !strcmp(word, "bf16") ? GX_BF16 : GX_F32;
}

static bool is_float(enum gx_dtype type)
{
    return type == GX_F32 || type == GX_F16 || type == GX_BF16 || type == GX_F64;
}

/* Which part a tensor belongs to; -1: it is left out. */
static int part_of(const struct conversion *c, const struct gx_tensor_info *t)
{
    for (int i = 0; i < c->parts; i++)
        if (!strncmp(t->name, c->part[i].prefix, strlen(c->part[i].prefix)))
            return i;
    return -1;
}

/* ---- before anything is read ---- */

static int check_names(const struct gx_config *config, const char *in, struct gx_err *err)
{
    const char *out = config->operand[1], *dot = strrchr(out, '.');
    struct stat a, b;
    if (!dot || strcmp(dot, ".safetensors") != 0)
        return gx_fail(err, GX_E_USAGE, "cannot write '%s': name the output .safetensors", out);
    if (stat(out, &b))
        return 0;
    if (!stat(in, &a) && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
        return gx_fail(err, GX_E_USAGE, "the output '%s' is the input '%s'; name another", out, in);
    if (S_ISDIR(b.st_mode))
        return gx_fail(err, GX_E_USAGE, "the output '%s' is a folder; name a file", out);
    return config->convert.force
               ? 0
               : gx_fail(err, GX_E_USAGE, "'%s' exists; --force writes over it", out);
}

/* Whether the weights are there that a generator needs. */
static int check_fit(const struct conversion *c, const struct gx_generator *g, struct gx_err *err)
{
    struct gx_params params;
    gx_params_init(&params);
    int code = gx_network_declare(&g->spec, &params, err);
    if (!code)
        code = gx_params_fit(&params, c->from, g->prefix, err);
    gx_params_clear(&params);
    return code;
}

/* Keeps the card's generators, or the asked one alone. */
static int keep_generators(struct conversion *c, const char *direction, struct gx_err *err)
{
    struct gx_card *card = &c->card;
    int code = gx_card_choose(card, direction, err);
    for (int i = 0; !code && *direction && i < card->generators; i++)
        if (!strcmp(card->generator[i].direction, direction)) {
            card->generator[0] = card->generator[i];
            card->generators = 1;
        }
    for (int i = 0; i < card->generators; i++) {
        const struct gx_generator *g = &card->generator[i];
        c->part[i].prefix = g->prefix;
        c->part[i].to = card->generators > 1 ? gx_arena_format(&c->arena, "%s.", g->name) : "";
    }
    c->parts = card->generators;
    return code;
}

/* Which tensors are kept. If the generators that the file seems to hold do not fit their networks,
 * all are, as they stand, and the reason is told. */
static int recognise(struct conversion *c, const char *direction, struct gx_report *report,
                     struct gx_err *err)
{
    struct gx_err why;
    int code = gx_card_read(&c->card, c->from, &why);
    for (int i = 0; i < c->card.generators && !code; i++)
        code = check_fit(c, &c->card.generator[i], &why);
    c->known = !code;
    if (c->known)
        return keep_generators(c, direction, err);
    if (*direction)
        return gx_fail(err, GX_E_FORMAT, "no generator that ganx knows: %s", why.text);
    gx_report(report, GX_WARNING, "unknown",
              "no generator that ganx knows (%s): every tensor is kept as it is", why.text);
    c->part[0].prefix = c->part[0].to = "";
    c->parts = 1;
    return 0;
}

/* ---- the new file ---- */

static void list_tensors(struct conversion *c, struct gx_entries *rows)
{
    for (int i = 0; i < gx_weights_count(c->from); i++) {
        const struct gx_tensor_info *t = gx_weights_info(c->from, i);
        int part = part_of(c, t);
        if (part < 0)
            continue;
        const char *name = gx_arena_format(&c->arena, "%s%s", c->part[part].to,
                                           t->name + strlen(c->part[part].prefix));
        gx_entries_add(rows, name, is_float(t->dtype) ? c->dtype : GX_I64, t->rank, t->dims);
        c->largest = t->count > c->largest ? t->count : c->largest;
    }
}

/* Of a known generator our own texts are made anew, but for the step and the card; the others are
 * kept, and of an unknown file all. The checksum is the writer's. */
static bool keeps_text(const struct conversion *c, const char *key)
{
    if (!strcmp(key, "ganx.crc32") || (c->text && !strcmp(key, GX_KEY_CARD)))
        return false;
    return !c->known || !strcmp(key, GX_KEY_STEP) || !strcmp(key, GX_KEY_CARD) ||
           strncmp(key, "ganx.", 5) != 0;
}

static int begin(struct conversion *c, struct gx_weights_writer **writer, struct gx_err *err)
{
    struct gx_entries rows = {0};
    struct gx_card_texts texts = {.count = 0};
    int room = GX_CARD_TEXTS_MAX + gx_weights_metadata_count(c->from) + 1, count = 0;
    struct gx_text_pair *pairs = gx_new((size_t)room * sizeof *pairs);
    if (c->known) {
        gx_card_texts(&texts, &c->card);
        for (int i = 0; i < texts.count; i++)
            pairs[count++] = texts.pair[i];
    }
    for (int i = 0; i < gx_weights_metadata_count(c->from); i++) {
        gx_weights_metadata_at(c->from, i, &pairs[count].key, &pairs[count].value);
        count += keeps_text(c, pairs[count].key);
    }
    if (c->text)
        pairs[count++] = (struct gx_text_pair){GX_KEY_CARD, c->text};
    list_tensors(c, &rows);
    int code = gx_weights_write_begin(writer, c->out, rows.row, rows.count, pairs, count, err);
    gx_card_texts_free(&texts);
    gx_entries_clear(&rows);
    free(pairs);
    return code;
}

/* Half precision ends at 65504: more would silently become infinity. */
static int check_range(const struct conversion *c, const struct gx_tensor_info *t, const float *x,
                       struct gx_err *err)
{
    for (int64_t i = 0; c->dtype == GX_F16 && is_float(t->dtype) && i < t->count; i++)
        if (isfinite(x[i]) && fabsf(x[i]) >= 65520)
            return gx_fail(err, GX_E_FORMAT,
                           "tensor '%s' holds %g, more than f16 can: use --dtype bf16", t->name,
                           x[i]);
    return 0;
}

static int copy_tensors(struct conversion *c, struct gx_weights_writer *writer,
                        enum gx_stage *stage, struct gx_err *err)
{
    float *values = malloc((size_t)(c->largest + 1) * sizeof *values);
    if (!values)
        return gx_fail(err, GX_E_NOMEM, "no memory for a tensor of %lld values",
                       (long long)c->largest);
    int code = 0;
    for (int i = 0; i < gx_weights_count(c->from) && !code; i++) {
        const struct gx_tensor_info *t = gx_weights_info(c->from, i);
        if (part_of(c, t) < 0)
            continue;
        *stage = GX_AT_MODEL;
        code = gx_weights_read(c->from, i, values, err);
        if (!code)
            code = check_range(c, t, values, err);
        if (code)
            break;
        *stage = GX_AT_OUTPUT;
        code = gx_weights_write_next(writer, values, err);
    }
    free(values);
    return code;
}

static int convert(struct conversion *c, enum gx_stage *stage, struct gx_err *err)
{
    struct gx_weights_writer *writer = NULL;
    *stage = GX_AT_OUTPUT;
    int code = begin(c, &writer, err);
    if (code)
        return code;
    code = copy_tensors(c, writer, stage, err);
    if (!code)
        return gx_weights_write_commit(&writer, err);
    gx_weights_write_abort(&writer);
    return code;
}

/* "resnet AtoB, resnet BtoA" */
static const char *networks_of(struct conversion *c)
{
    const char *text = "";
    for (int i = 0; c->known && i < c->card.generators; i++) {
        const struct gx_generator *g = &c->card.generator[i];
        text = gx_arena_format(&c->arena, "%s%s%s%s%s", text, i ? ", " : "", g->spec.network->name,
                               *g->direction ? " " : "", g->direction);
    }
    return c->known ? text : "unknown network";
}

/* The text of --card, in the arena. */
static int read_card(struct conversion *c, const char *path, struct gx_err *err)
{
    enum { BYTES_MAX = 1 << 16 };
    char *text;
    size_t size;
    int code = gx_file_read(path, BYTES_MAX, &text, &size, err);
    if (code)
        return -GX_E_USAGE;
    c->text = gx_arena_text(&c->arena, text);
    if (strlen(text) != size) /* that it is UTF-8 is the writer's to check */
        code = gx_fail(err, GX_E_USAGE, "the card '%s' is not text", path);
    free(text);
    return code;
}

static int convert_file(struct conversion *c, const struct gx_config *config, const char *path,
                        struct gx_report *report, enum gx_stage *stage, struct gx_err *err)
{
    int code = check_names(config, path, err);
    if (!code && *config->convert.card)
        code = read_card(c, config->convert.card, err);
    if (!code)
        code = gx_weights_open(&c->from, path, err);
    if (!code)
        code = gx_weights_verify(c->from, err);
    if (!code)
        code = recognise(c, config->convert.direction, report, err);
    if (code && c->from)
        code = gx_context(err, code, "cannot convert '%s'", path);
    return code ? code : convert(c, stage, err);
}

static int run_convert(struct gx_config *config, struct gx_report *report)
{
    struct conversion c = {.dtype = dtype_of(config->convert.dtype)};
    struct gx_err err;
    struct stat s;
    char *path = NULL;
    enum gx_stage stage = GX_AT_MODEL;
    if (config->operands != 2) {
        gx_report(report, GX_ERROR, "error", "expected IN OUT: a file of weights, and a new name");
        return GX_EXIT_USAGE;
    }
    c.out = config->operand[1];
    int code = gx_model_find(config->operand[0], &path, &err);
    if (!code)
        code = convert_file(&c, config, path, report, &stage, &err);
    if (code)
        code = gx_fail_at(report, code, stage, &err);
    else
        gx_report(report, GX_INFO, "converted", "%s -> %s: %s, %.1f MiB", path, c.out,
                  networks_of(&c), stat(c.out, &s) ? 0 : (double)s.st_size / 0x1p20);
    gx_weights_close(&c.from);
    gx_arena_clear(&c.arena);
    free(path);
    return code;
}

const struct gx_command gx_command_convert = {
    .name = "convert",
    .verb = GX_VERB_CONVERT,
    .alone = true,
    .summary = "turn a .pth, a checkpoint or a model into a .safetensors model",
    .usage = (const char *const[]){"[--dtype f32|f16|bf16] [--direction AtoB|BtoA] [--card FILE] "
                                   "[--force] IN OUT.safetensors",
                                   NULL},
    .run = run_convert,
};
