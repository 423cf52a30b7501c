#include "model/model.h"

#include "kernel/kernel.h"
#include "model/find.h"
#include "util/half.h"
#include "util/memory.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_family(const struct gx_model *model, struct gx_err *err)
{
    const char *asked = model->settings.family;
    const struct gx_card *card = &model->card;
    if (*asked && !gx_card_fits(card, asked))
        return gx_fail(err, GX_E_FORMAT, "it is a model of family '%s' (network '%s'), not '%s'",
                       card->family, card->spec.network->name, asked);
    return 0;
}

/* A network without such a size is made for colour. */
static int channels_of(const struct gx_card *card, const char *size)
{
    int channels = gx_spec_get(&card->spec, size);
    return channels ? channels : 3;
}

static bool for_pictures(int channels)
{
    return channels == 1 || channels == 3 || channels == 4;
}

/* Settings override what the file says. */
static int settle(struct gx_model *model, const struct gx_weights *file, struct gx_err *err)
{
    struct gx_card *card = &model->card;
    const struct gx_model_settings *s = &model->settings;
    if (s->norm_stats != GX_MODEL_STATS_OWN)
        card->running = s->norm_stats == GX_MODEL_STATS_RUNNING;
    if (s->dropout != GX_MODEL_DROPOUT_OWN)
        card->dropout = s->dropout == GX_MODEL_DROPOUT_ON;
    card->dropout = card->dropout && gx_spec_get(&card->spec, "drop");
    int in = channels_of(card, "cin"), out = channels_of(card, "cout");
    if (!for_pictures(in) || !for_pictures(out))
        return gx_fail(err, GX_E_FORMAT,
                       "it makes %d channels of %d, and pictures here have 1, 3 or 4", out, in);
    /* Batch norm has statistics in the file; the loader would take 0 and 1 for missing ones. */
    for (int i = 0; card->running && i < model->params.count; i++) {
        const struct gx_param *param = model->params.param[i];
        char key[300];
        snprintf(key, sizeof key, "%s%s", card->prefix, param->name);
        if (param->kind == GX_PARAM_RUNNING_MEAN && gx_weights_find(file, key) < 0)
            return gx_fail(err, GX_E_FORMAT,
                           "it holds no running statistics ('%s'); use those of the image", key);
    }
    return 0;
}

/* The names are part of the facts, and the card's texts go with the file. */
static int read_domains(struct gx_model *model, struct gx_err *err)
{
    struct gx_card *card = &model->card;
    int count = gx_spec_get(&card->spec, "c_dim");
    const char *asked = model->settings.domains;
    int code = 0;
    if (count)
        code = gx_domains_read(&model->domains, &model->arena, count, card->domains, card->groups,
                               *asked ? asked : NULL, err);
    card->domains = card->groups = NULL;
    return code;
}

static void fill_facts(struct gx_model *model, const char *path)
{
    const struct gx_card *card = &model->card;
    model->card.family = gx_arena_text(&model->arena, card->family);
    model->card.direction = gx_arena_text(&model->arena, card->direction);
    model->facts = (struct gx_model_facts){
        .path = gx_arena_text(&model->arena, path),
        .family = card->family,
        .network = card->spec.network->name,
        .direction = card->direction,
        .channels_in = channels_of(card, "cin"),
        .channels_out = channels_of(card, "cout"),
        .low = card->low,
        .high = card->high,
        .running = card->running,
        .dropout = card->dropout,
        .trained_size = card->size,
        .domains = model->domains.count,
        .domain = model->domains.name,
        .domain_group = model->domains.group,
        .multiple = card->spec.network->multiple(&card->spec),
        .scale = gx_network_scale(&card->spec),
        .shrink = gx_network_shrink(&card->spec),
        .reach = gx_card_reach(card),
        .threads = model->settings.threads > 0 ? model->settings.threads : omp_get_num_procs(),
    };
    model->idle = model->facts.threads;
    for (int i = 0; i < model->params.count; i++)
        if (gx_param_trained(model->params.param[i]))
            model->facts.parameters += gx_count(model->params.param[i]->shape);
}

/* What is left for values once the weights are there. */
static int set_budget(struct gx_model *model, struct gx_err *err)
{
    int64_t asked = model->settings.max_memory;
    int64_t weights = model->params.total * (int64_t)sizeof(float);
    int64_t all = asked ? asked : gx_memory_available() / 10 * 9;
    if (weights >= all)
        return gx_fail(err, GX_E_NOMEM, "its weights need %.0f MiB of memory, and %.0f are %s",
                       (double)weights / 0x1p20, (double)all / 0x1p20, asked ? "allowed" : "free");
    model->budget = all - weights;
    return 0;
}

enum gx_dtype gx_model_dtype(enum gx_model_precision precision)
{
    return precision == GX_MODEL_F16 ? GX_F16 : precision == GX_MODEL_BF16 ? GX_BF16 : GX_F32;
}

static int load(struct gx_model *model, struct gx_weights *file, const char *path,
                struct gx_err *err)
{
    int code = gx_card_read(&model->card, file, err);
    if (code || (code = check_family(model, err)) ||
        (code = gx_card_choose(&model->card, model->settings.direction, err)) ||
        (code = gx_network_declare(&model->card.spec, &model->params, err)) ||
        (code = settle(model, file, err)) || (code = read_domains(model, err)) ||
        (code = gx_params_fit(&model->params, file, model->card.prefix, err)) ||
        (code = gx_params_halve(&model->params, gx_model_dtype(model->settings.precision), err)))
        return code;
    gx_params_panels(&model->params, model->kernels->panel);
    gx_params_layout(&model->params);
    if ((code = set_budget(model, err)) || (code = gx_params_allocate(&model->params, err)))
        return code;
    fill_facts(model, path);
    return gx_params_load(&model->params, file, model->card.prefix, err);
}

static void copy_settings(struct gx_model *model, const struct gx_model_settings *settings)
{
    static const struct gx_model_settings none;
    struct gx_model_settings *s = &model->settings;
    *s = settings ? *settings : none;
    s->family = gx_arena_text(&model->arena, s->family ? s->family : "");
    s->domains = gx_arena_text(&model->arena, s->domains ? s->domains : "");
    s->direction = gx_arena_text(&model->arena, s->direction ? s->direction : "");
    s->kernels = s->kernels ? gx_arena_text(&model->arena, s->kernels) : NULL;
    s->temp_folder = s->temp_folder ? gx_arena_text(&model->arena, s->temp_folder) : NULL;
}

int gx_model_open(struct gx_model **out, const char *path, const struct gx_model_settings *settings,
                  struct gx_err *err)
{
    char *found = NULL;
    struct gx_weights *file = NULL;
    struct gx_model *model = gx_new(sizeof *model);
    *out = NULL;
    pthread_mutex_init(&model->lock, NULL);
    pthread_cond_init(&model->changed, NULL);
    gx_params_init(&model->params);
    copy_settings(model, settings);
    int code = gx_kernels_choose(&model->kernels, model->settings.kernels, err);
    if (!code)
        code = path ? gx_model_find(path, &found, err)
                    : gx_model_installed(model->settings.family, &found, err);
    if (!code)
        code = gx_weights_open(&file, found, err);
    if (!code) {
        code = load(model, file, found, err);
        if (code && !strstr(err ? err->text : "", found)) /* the reader names the file by itself */
            gx_context(err, code, "cannot load '%s'", found);
    }
    gx_weights_close(&file);
    free(found);
    if (code)
        gx_model_close(&model);
    *out = model;
    return code;
}

void gx_model_close(struct gx_model **model)
{
    struct gx_model *m = *model;
    if (!m)
        return;
    gx_model_forget(m);
    gx_params_clear(&m->params);
    gx_arena_clear(&m->arena);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m);
    *model = NULL;
}

const struct gx_model_facts *gx_model_facts(const struct gx_model *model)
{
    return &model->facts;
}

/* ---- blending ---- */

static bool same_network(const struct gx_model *a, const struct gx_model *b)
{
    return a->card.spec.network == b->card.spec.network &&
           !memcmp(a->card.spec.size, b->card.spec.size, sizeof a->card.spec.size);
}

static void blend(const struct gx_param *param, double keep, const struct gx_param *other,
                  double share)
{
    uint16_t *half = (uint16_t *)param->data;
    const uint16_t *half2 = (const uint16_t *)other->data;
    for (int64_t i = 0; i < gx_count(param->shape); i++) {
        if (param->dtype == GX_F32)
            param->data[i] = (float)(keep * param->data[i] + share * other->data[i]);
        else if (param->dtype == GX_F16)
            half[i] = gx_float_to_half(
                (float)(keep * gx_half_to_float(half[i]) + share * gx_half_to_float(half2[i])));
        else
            half[i] = gx_float_to_bfloat(
                (float)(keep * gx_bfloat_to_float(half[i]) + share * gx_bfloat_to_float(half2[i])));
    }
}

int gx_model_blend(struct gx_model *model, double keep, const char *path, double share,
                   struct gx_err *err)
{
    struct gx_model *other;
    int code = gx_model_open(&other, path, &model->settings, err);
    if (code)
        return code;
    if (same_network(model, other)) { /* and so the parameters are the same */
        for (int i = 0; i < model->params.count; i++)
            blend(model->params.param[i], keep, other->params.param[i], share);
        gx_model_forget(model);
    } else {
        code = gx_fail(err, GX_E_FORMAT,
                       "'%s' ('%s') cannot be blended with '%s' ('%s'): their networks differ",
                       other->facts.path, other->facts.network, model->facts.path,
                       model->facts.network);
    }
    gx_model_close(&other);
    return code;
}
