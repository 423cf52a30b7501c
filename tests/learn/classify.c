/* An independent judge of translations between domains: a classifier that has seen real pictures
 * only, the class head of StarGAN's discriminator.
 *
 *   classify train DATA WEIGHTS   learns DATA/train/DOMAIN/, writes WEIGHTS, judges DATA/test/DOMAIN/
 *   classify judge WEIGHTS OUT... which domain it takes OUT/DOMAIN/x.png for: the share that is
 *                                 called by its folder's name, in all and by domain
 *   --steps N   --size N   --dim N   --seed N     of training (3200, 64, 40, 1)
 *   --least X   exit status 1 when fewer than this share are right
 *   --json      one JSON object instead of a table
 *
 * An OUT that is called as one of its domains holds translations of that domain's pictures: those
 * into themselves (OUT/noto for an OUT that is some/noto) do not count.
 *
 * It sees pictures of --size squared, in training shifted by a little, mirrored and with a little
 * noise, which keeps it from judging by single pixels. What it judges it sees likewise, in several
 * views that are drawn once for all. */
#include "family/model_keys.h"
#include "ganx/image.h"
#include "ganx/network.h"
#include "ganx/plan.h"
#include "image/loader.h"
#include "net/layers.h"
#include "optim/optim.h"
#include "train/record.h"
#include "util/arena.h"
#include "util/file.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 32, MOST = 64, VIEWS = 16 };

struct settings {
    int steps, size, dim, seed;
    double least;
    bool json;
};

struct classifier {
    int size, dim;
    struct gx_params params;
    struct gx_graph *graph;
    struct gx_plan *plan;
    struct gx_node *x, *label, *logits, *loss;
    const char **domain;
    int domains;
};

/* How often pictures of a domain were taken for another. */
struct tally {
    int said[MOST][MOST]; /* [is][was called] */
};

static void fail(const struct gx_err *err)
{
    fprintf(stderr, "classify: %s\n", err->text);
    exit(2);
}

/* ---- the network ---- */

static struct gx_node *logits_of(struct classifier *c, struct gx_node *x)
{
    struct gx_network_spec spec = gx_network_spec_of(gx_network_find("star_discriminator"));
    struct gx_node *out[GX_OUTPUTS_MAX];
    struct gx_err err = {""};
    int layers = 0;
    while (c->size >> layers > 2)
        layers++;
    if (gx_spec_set(&spec, "size", c->size, &err) || gx_spec_set(&spec, "dim", c->dim, &err) ||
        gx_spec_set(&spec, "c_dim", c->domains, &err) || gx_spec_set(&spec, "layers", layers, &err))
        fail(&err);
    struct gx_build how = {.graph = c->graph, .spec = &spec, .params = &c->params};
    spec.network->build(&how, x, NULL, out);
    return out[1];
}

/* Fresh weights, or those to come from a file. */
static void declare(struct classifier *c)
{
    struct gx_err err = {""};
    c->graph = gx_graph_new();
    gx_params_init(&c->params);
    logits_of(c, gx_input(c->graph, (struct gx_shape){1, c->size, c->size, 3}, "x"));
    if (gx_graph_check(c->graph, &err) || gx_params_allocate(&c->params, &err))
        fail(&err);
    gx_graph_free(&c->graph);
}

/* x -> logits; in training with noise, a label and a loss. */
static void build(struct classifier *c, int batch, bool training)
{
    struct gx_err err = {""};
    struct gx_graph *g = c->graph = gx_graph_new();
    c->x = gx_input(g, (struct gx_shape){batch, c->size, c->size, 3}, "x");
    c->label = gx_input(g, (struct gx_shape){batch, 1, 1, c->domains}, "label");
    struct gx_node *seen = c->x;
    if (training) {
        struct gx_node *most = gx_uniform(g, (struct gx_shape){batch, 1, 1, 1}, 0, 0.02F);
        seen = gx_add(g, seen, gx_mul(g, most, gx_normal(g, seen->shape, 0, 1)));
    }
    c->logits = gx_keep(logits_of(c, seen));
    if (training) {
        struct gx_node *each = gx_mul(g, c->label, gx_log_softmax(g, c->logits));
        c->loss = gx_keep(gx_scale(g, gx_sum(g, each, GX_AXES_ALL), -1.0F / (float)batch));
        gx_store_gradients(g, c->loss, &c->params);
    }
    struct gx_plan_settings settings = {.threads = 2, .inference = !training};
    if (gx_plan_new(&c->plan, g, &settings, &err) || gx_plan_allocate(c->plan, &err))
        fail(&err);
}

static void forget(struct classifier *c)
{
    gx_plan_free(&c->plan);
    gx_graph_free(&c->graph);
}

/* The domain of the largest logit, of all views of a picture together. */
static int called(const struct classifier *c)
{
    const float *logit = gx_plan_value(c->plan, c->logits);
    double sum[MOST] = {0};
    int best = 0;
    for (int i = 0; i < VIEWS * c->domains; i++)
        sum[i % c->domains] += (double)logit[i];
    for (int k = 1; k < c->domains; k++)
        if (sum[k] > sum[best])
            best = k;
    return best;
}

/* ---- learning ---- */

static struct gx_prepare prepare_for(const struct classifier *c)
{
    return (struct gx_prepare){.center_crop = 16384,
                               .load_size = c->size + c->size / 16,
                               .crop_size = c->size,
                               .augment = true,
                               .flip = true,
                               .channels = {3},
                               .lo = -1,
                               .hi = 1};
}

static void learn(struct classifier *c, const struct gx_dataset *set, const struct settings *s)
{
    struct gx_err err = {""};
    struct gx_optim optim;
    struct gx_optim_settings adam = gx_optim_defaults(GX_OPTIM_ADAM);
    const struct gx_kernels *kernels;
    struct gx_loader *loader;
    struct gx_loader_options options = {.prepare = prepare_for(c),
                                        .seed = (uint64_t)s->seed,
                                        .shuffle = true,
                                        .batch = BATCH,
                                        .ranks = 1,
                                        .workers = 1,
                                        .cache_bytes = 256 << 20};
    gx_params_initialise(&c->params, GX_INIT_TORCH, 1, (uint64_t)s->seed, "classifier");
    if (gx_kernels_choose(&kernels, "auto", &err) ||
        gx_params_allocate_gradients(&c->params, &err) ||
        gx_optim_init(&optim, &adam, &c->params, &err) ||
        gx_loader_new(&loader, set, &set->train, &options, &err))
        fail(&err);
    build(c, BATCH, true);
    for (int i = 0; i < s->steps; i++) {
        float *to[] = {gx_plan_value(c->plan, c->x)};
        if (gx_loader_next(loader, to, gx_plan_value(c->plan, c->label), NULL, &err))
            fail(&err);
        gx_plan_run(c->plan, 0, (uint64_t)s->seed, (uint64_t)i);
        gx_optim_step(&optim, 5e-4 * (1 - (double)i / s->steps), kernels, 1);
        if (i % 100 == 99 || i == s->steps - 1)
            fprintf(stderr, "step %d of %d: loss %.4f\n", i + 1, s->steps,
                    (double)*gx_plan_value(c->plan, c->loss));
    }
    gx_loader_free(&loader);
    gx_optim_clear(&optim);
    forget(c);
}

static void save(const struct classifier *c, const char *path)
{
    struct gx_record record;
    struct gx_err err = {""};
    json_t *names = json_array();
    for (int i = 0; i < c->domains; i++)
        json_array_append_new(names, json_string(c->domain[i]));
    char *domains = json_dumps(names, 0);
    gx_record_init(&record);
    gx_record_add_params(&record, "", &c->params, GX_PARTS_ALL, c->params.data);
    gx_record_set(&record, "classifier", "%d %d", c->size, c->dim);
    gx_record_set(&record, GX_KEY_DOMAINS, "%s", domains);
    if (gx_record_write(&record, path, &err))
        fail(&err);
    gx_record_clear(&record);
    free(domains);
    json_decref(names);
}

static void load(struct classifier *c, struct gx_arena *arena, const char *path)
{
    struct gx_err err = {""};
    struct gx_weights *file;
    if (gx_weights_open(&file, path, &err))
        fail(&err);
    const char *sizes = gx_weights_metadata(file, "classifier");
    const char *domains = gx_weights_metadata(file, GX_KEY_DOMAINS);
    json_t *names = domains ? json_loads(domains, 0, NULL) : NULL;
    c->domains = (int)json_array_size(names);
    if (!sizes || sscanf(sizes, "%d %d", &c->size, &c->dim) != 2 || c->size < 16 || c->dim < 1 ||
        !c->domains || c->domains > MOST) {
        gx_fail(&err, GX_E_FORMAT, "'%s' is not a classifier of this program", path);
        fail(&err);
    }
    c->domain = gx_arena_alloc(arena, (size_t)c->domains * sizeof *c->domain);
    for (int i = 0; i < c->domains; i++)
        c->domain[i] = gx_arena_text(arena, json_string_value(json_array_get(names, (size_t)i)));
    declare(c);
    if (gx_params_load(&c->params, file, "", &err))
        fail(&err);
    gx_weights_close(&file);
    json_decref(names);
}

/* ---- judging ---- */

/* false: it is no picture. */
static bool judge_picture(struct classifier *c, const char *path, int is, struct tally *tally)
{
    const struct gx_prepare prepare = prepare_for(c);
    const struct gx_view view = {.path = path};
    struct gx_raster raster = {0};
    struct gx_err err = {""};
    int code = gx_sample_decode(&view, 1, &prepare, &raster, &err);
    for (int i = 0; i < VIEWS && !code; i++) {
        const struct gx_chance chance = {.index = i};
        float *to[] = {gx_plan_value(c->plan, c->x) + (size_t)i * c->size * c->size * 3};
        code = gx_sample_place(&raster, 1, &prepare, &chance, c->size, c->size, to, path, &err);
    }
    free(raster.samples);
    if (code) {
        fprintf(stderr, "classify: %s\n", err.text);
        return false;
    }
    gx_plan_run(c->plan, 0, 0, 0);
    tally->said[is][called(c)]++;
    return true;
}

static void judge_folder(struct classifier *c, const char *folder, int is, struct tally *tally)
{
    struct gx_names names;
    struct gx_err err = {""};
    if (gx_folder_list(folder, &names, &err))
        fail(&err);
    for (size_t i = 0; i < names.count; i++) {
        char path[8192];
        snprintf(path, sizeof path, "%s/%s", folder, names.name[i]);
        if (!gx_is_folder(path))
            judge_picture(c, path, is, tally);
    }
    gx_names_free(&names);
}

/* OUT/DOMAIN/ for every domain but the one that OUT itself is called as. */
static void judge_all(struct classifier *c, const char *out, struct tally *tally)
{
    size_t length = strlen(out);
    while (length > 1 && out[length - 1] == '/')
        length--;
    size_t from = length;
    while (from && out[from - 1] != '/')
        from--;
    for (int k = 0; k < c->domains; k++) {
        char path[4096];
        bool own = strlen(c->domain[k]) == length - from &&
                   !strncmp(c->domain[k], out + from, length - from);
        snprintf(path, sizeof path, "%.*s/%s", (int)length, out, c->domain[k]);
        if (!own && gx_is_folder(path))
            judge_folder(c, path, k, tally);
    }
}

/* ---- telling ---- */

static int sum_of(const int *row, int count)
{
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += row[i];
    return sum;
}

static double share(int right, int all)
{
    return all ? (double)right / all : 0;
}

static void print_table(const struct classifier *c, const struct tally *t, int right, int all)
{
    printf("%-16s %8s %7s   called\n%-16s %8s %7s", "domain", "pictures", "right", "", "", "");
    for (int k = 0; k < c->domains; k++)
        printf(" %10.10s", c->domain[k]);
    for (int i = 0; i < c->domains; i++) {
        int count = sum_of(t->said[i], c->domains);
        printf("\n%-16.16s %8d %6.1f%%", c->domain[i], count, 100 * share(t->said[i][i], count));
        for (int k = 0; k < c->domains; k++)
            printf(" %10d", t->said[i][k]);
    }
    printf("\n%-16s %8d %6.1f%%\n", "all", all, 100 * share(right, all));
}

static void print_json(const struct classifier *c, const struct tally *t, int right, int all)
{
    json_t *domains = json_object();
    for (int i = 0; i < c->domains; i++) {
        int count = sum_of(t->said[i], c->domains);
        json_t *row = json_object();
        for (int k = 0; k < c->domains; k++)
            json_object_set_new(row, c->domain[k], json_integer(t->said[i][k]));
        json_object_set_new(domains, c->domain[i],
                            json_pack("{si sf so}", "pictures", count, "right",
                                      share(t->said[i][i], count), "called", row));
    }
    json_t *o =
        json_pack("{si sf so}", "pictures", all, "right", share(right, all), "domains", domains);
    char *text = json_dumps(o, JSON_REAL_PRECISION(6));
    puts(text);
    free(text);
    json_decref(o);
}

/* The exit status. */
static int tell(const struct classifier *c, const struct tally *t, const struct settings *s)
{
    int right = 0, all = 0;
    for (int i = 0; i < c->domains; i++) {
        right += t->said[i][i];
        all += sum_of(t->said[i], c->domains);
    }
    (s->json ? print_json : print_table)(c, t, right, all);
    return all == 0 || share(right, all) < s->least;
}

/* ---- the program ---- */

static int run_train(const struct settings *s, const char *data, const char *weights)
{
    struct classifier c = {.size = s->size, .dim = s->dim};
    struct gx_dataset_options options = {0};
    struct gx_dataset set;
    struct gx_err err = {""};
    struct tally tally = {0};
    if (gx_dataset_open(&set, "domains", data, &options, &err))
        fail(&err);
    fprintf(stderr, "%s\n", set.said);
    c.domains = set.domains < MOST ? set.domains : MOST;
    c.domain = set.domain;
    declare(&c);
    learn(&c, &set, s);
    save(&c, weights);
    build(&c, VIEWS, false);
    for (size_t i = 0; i < set.held.count[0]; i++) {
        int is = 0;
        while (is < c.domains - 1 && set.held.label[i * (size_t)c.domains + (size_t)is] < 1)
            is++;
        judge_picture(&c, set.held.view[0][i].path, is, &tally);
    }
    int status = tell(&c, &tally, s);
    forget(&c);
    gx_params_clear(&c.params);
    gx_dataset_clear(&set);
    return status;
}

static int run_judge(const struct settings *s, const char *weights, char **out, int outs)
{
    struct classifier c = {0};
    struct gx_arena arena = {0};
    struct tally tally = {0};
    load(&c, &arena, weights);
    build(&c, VIEWS, false);
    for (int i = 0; i < outs; i++)
        judge_all(&c, out[i], &tally);
    int status = tell(&c, &tally, s);
    forget(&c);
    gx_params_clear(&c.params);
    gx_arena_clear(&arena);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"steps", 1, NULL, 's'},
                                            {"size", 1, NULL, 'z'},
                                            {"dim", 1, NULL, 'd'},
                                            {"seed", 1, NULL, 'e'},
                                            {"least", 1, NULL, 'l'},
                                            {"json", 0, NULL, 'j'},
                                            {0}};
    struct settings s = {.steps = 3200, .size = 64, .dim = 40, .seed = 1};
    struct gx_err err = {""};
    int letter, left;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        int *number = letter == 's'   ? &s.steps
                      : letter == 'z' ? &s.size
                      : letter == 'd' ? &s.dim
                      : letter == 'e' ? &s.seed
                                      : NULL;
        if (letter == '?')
            return 2;
        if (number)
            *number = atoi(optarg);
        s.json |= letter == 'j';
        s.least = letter == 'l' ? atof(optarg) : s.least;
    }
    argv += optind;
    left = argc - optind;
    if (gx_image_start(NULL, 1, &err))
        fail(&err);
    if (left == 3 && !strcmp(argv[0], "train"))
        return run_train(&s, argv[1], argv[2]);
    if (left >= 3 && !strcmp(argv[0], "judge"))
        return run_judge(&s, argv[1], argv + 2, left - 2);
    fputs("usage: classify train DATA WEIGHTS | classify judge WEIGHTS OUT...\n"
          "       [--steps N] [--size N] [--dim N] [--seed N] [--least X] [--json]\n",
          stderr);
    return 2;
}
