#include "image/loader.h"
#include "util/random.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>

/* A step's batch. Slot s % depth of the ring holds step s, from when its first item is handed to a
 * worker until gx_loader_next has copied it. */
struct batch {
    float *data[GX_SLOTS];
    const char **name;
    float *label;     /* batch x domains; NULL: the split has none */
    int done;         /* items finished, failed ones too */
    int failed, code; /* the first item (not the first in time) that failed; -1: none */
    struct gx_err err;
};

struct gx_loader {
    const struct gx_dataset *set;
    const struct gx_split *split;
    struct gx_loader_options o;
    int slots; /* given out: the layout's, and one that is made from them */
    int height, width, depth;
    size_t count; /* samples in an epoch */
    size_t floats[GX_SLOTS];
    struct batch *ring;

    pthread_mutex_t lock;
    pthread_cond_t room, ready;
    bool stop;
    int64_t step; /* the next to give out */
    int64_t job_step;
    int job_item;
    uint32_t *order; /* of order_epoch; NULL: by name */
    int64_t order_epoch;
    struct gx_raster *cache[GX_SLOTS]; /* by picture; samples NULL: not there */
    size_t cached;
    int code; /* of the error that ended it */
    struct gx_err err;
    char **warning; /* not yet told */
    int warnings;

    int threads;
    pthread_t *thread;
};

struct job {
    int64_t step, epoch;
    int item;
    size_t index;          /* of the sample in the epoch */
    size_t view[GX_SLOTS]; /* of its pictures */
};

/* ---- handing out work (under the lock) ---- */

/* Jobs go out in order of steps, so one epoch's order is current at a time. */
static size_t index_at(struct gx_loader *l, struct gx_place place)
{
    if (!l->order)
        return (size_t)place.position;
    if (place.epoch != l->order_epoch) {
        struct gx_random random = gx_random_at(l->o.seed, GX_STREAM_ORDER, (uint64_t)place.epoch);
        gx_random_permutation(&random, l->order, (uint32_t)l->count);
        l->order_epoch = place.epoch;
    }
    return l->order[place.position];
}

/* Pictures that do not belong together meet by chance: slot 0 goes through its list, the partners
 * are drawn, as the reference does it; without shuffling all go through theirs. */
static void choose_views(const struct gx_loader *l, struct job *job)
{
    const size_t *count = l->split->count;
    bool drawn = l->o.shuffle && !l->set->layout->aligned;
    struct gx_random random = gx_random_at(l->o.seed, GX_STREAM_PARTNER,
                                           (uint64_t)job->epoch << 32 | (uint32_t)job->index);
    for (int k = 0; k < l->set->layout->slots; k++)
        job->view[k] =
            k && drawn ? gx_random_below(&random, (uint32_t)count[k]) : job->index % count[k];
}

static bool take_job(struct gx_loader *l, struct job *job)
{
    while (!l->stop && l->job_step >= l->step + l->depth)
        pthread_cond_wait(&l->room, &l->lock);
    if (l->stop)
        return false;
    struct gx_place place =
        gx_place_at((int64_t)l->count, l->job_step, l->o.batch, l->job_item, l->o.rank, l->o.ranks);
    *job = (struct job){l->job_step, place.epoch, l->job_item, index_at(l, place), {0}};
    choose_views(l, job);
    if (++l->job_item == l->o.batch) {
        l->job_item = 0;
        l->job_step++;
    }
    return true;
}

static void finish_job(struct gx_loader *l, const struct job *job, int code,
                       const struct gx_err *err)
{
    struct batch *b = &l->ring[job->step % l->depth];
    b->name[job->item] = l->split->view[0][job->view[0]].path;
    if (b->label) {
        size_t domains = (size_t)l->set->domains;
        memcpy(b->label + (size_t)job->item * domains, l->split->label + job->view[0] * domains,
               domains * sizeof *b->label);
    }
    if (code && (b->failed < 0 || job->item < b->failed)) {
        b->failed = job->item;
        b->code = code;
        b->err = *err;
    }
    if (++b->done == l->o.batch)
        pthread_cond_signal(&l->ready);
}

/* ---- doing it ---- */

/* Pictures that belong together: slots first..first + slots - 1, all of them in an aligned layout,
 * else each on its own. Files have slots from..from + files - 1 of them, the others are made. */
struct group {
    int first, slots, from, files;
    size_t index;
    struct gx_prepare prepare; /* channels[0] is of slot `first` */
    struct gx_raster raster[GX_SLOTS];
};

static struct gx_prepare prepare_from(const struct gx_prepare *all, int first)
{
    struct gx_prepare p = *all;
    for (int k = first; k < GX_SLOTS; k++) {
        p.channels[k - first] = all->channels[k];
        p.shrink[k - first] = all->shrink[k];
    }
    return p;
}

/* Copies rasters between the group and the cache (under the lock). */
static void copy_rasters(struct gx_loader *l, struct group *g, bool keep)
{
    for (int k = g->from; k < g->from + g->files; k++) {
        struct gx_raster *kept = &l->cache[k][g->index], *own = &g->raster[k - g->first];
        *(keep ? kept : own) = *(keep ? own : kept);
    }
}

/* The cache's copy, or a fresh one, which the cache takes if it has room (*owned: it has not). */
static int fetch(struct gx_loader *l, struct group *g, bool *owned, struct gx_err *err)
{
    const struct gx_raster *kept = &l->cache[g->from][g->index];
    struct gx_raster *own = &g->raster[g->from - g->first];
    struct gx_view view[GX_SLOTS];
    size_t bytes = 0;
    pthread_mutex_lock(&l->lock);
    copy_rasters(l, g, false);
    pthread_mutex_unlock(&l->lock);
    *owned = false;
    if (own->samples)
        return 0;
    for (int k = 0; k < g->files; k++)
        view[k] = l->split->view[g->from + k][g->index];
    const struct gx_prepare prepare = prepare_from(&l->o.prepare, g->from);
    int result = gx_sample_decode(view, g->files, &prepare, own, err);
    if (result)
        return result;
    for (int k = 0; k < g->files; k++)
        bytes += gx_raster_bytes(&own[k]);
    pthread_mutex_lock(&l->lock);
    *owned = kept->samples || l->cached + bytes > l->o.cache_bytes;
    if (!*owned) {
        copy_rasters(l, g, true);
        l->cached += bytes;
    }
    pthread_mutex_unlock(&l->lock);
    return 0;
}

/* ---- pictures that cannot be read ---- */

/* Whether that says something of a file rather than of the configuration or of memory. */
static bool is_damage(int code)
{
    return code == -GX_E_IO || code == -GX_E_FORMAT || code == -GX_E_LIMIT;
}

static bool is_damaged(struct gx_loader *l, const struct group *g)
{
    const unsigned char *damaged = l->split->damaged[g->from];
    pthread_mutex_lock(&l->lock);
    bool found = damaged && damaged[g->index];
    pthread_mutex_unlock(&l->lock);
    return found;
}

/* Two workers may find the same one: it is told once. */
static void note_damage(struct gx_loader *l, const struct group *g, const struct gx_err *err)
{
    unsigned char *damaged = l->split->damaged[g->from];
    pthread_mutex_lock(&l->lock);
    if (damaged && !damaged[g->index]) {
        damaged[g->index] = 1;
        l->warning = gx_grow(l->warning, (size_t)(l->warnings + 1) * sizeof *l->warning);
        l->warning[l->warnings] = gx_new(sizeof err->text + 64);
        sprintf(l->warning[l->warnings++], "%s; another is taken instead", err->text);
    }
    pthread_mutex_unlock(&l->lock);
}

/* The rasters of the job's pictures, or of the next that can be read. Labels and names follow. */
static int fetch_any(struct gx_loader *l, struct job *job, struct group *g, bool *owned,
                     struct gx_err *err)
{
    size_t count = l->split->count[g->from];
    int code = -GX_E_FORMAT;
    for (size_t tries = 0; tries < count && is_damage(code); tries++) {
        g->index = (job->view[g->from] + tries) % count;
        if (is_damaged(l, g))
            continue;
        code = fetch(l, g, owned, err);
        if (is_damage(code))
            note_damage(l, g, err);
    }
    if (!is_damage(code)) {
        for (int k = 0; k < l->set->layout->slots && l->set->layout->aligned; k++)
            job->view[k] = g->index;
        job->view[g->from] = g->index;
        return code;
    }
    const char *path = l->split->view[g->from][job->view[g->from]].path;
    return gx_fail(err, GX_E_CONFIG, "none of the %zu pictures beside '%s' can be read", count,
                   path);
}

static int make_group(struct gx_loader *l, struct job *job, struct group *g, struct gx_err *err)
{
    const struct batch *b = &l->ring[job->step % l->depth];
    const struct gx_chance chance = {l->o.seed, job->epoch, (int64_t)job->index, g->first};
    float *to[GX_SLOTS];
    bool owned;
    g->prepare = prepare_from(&l->o.prepare, g->first);
    for (int k = 0; k < g->slots; k++)
        to[k] = b->data[g->first + k] + (size_t)job->item * l->floats[g->first + k];
    int result = fetch_any(l, job, g, &owned, err);
    if (result)
        return result;
    result = gx_sample_place(g->raster, g->slots, &g->prepare, &chance, l->height, l->width, to,
                             l->split->view[g->from][g->index].path, err);
    for (int k = 0; k < g->slots && owned; k++)
        free(g->raster[k].samples);
    return result;
}

/* The groups of a sample; gives how many there are. */
static int groups_of(const struct gx_loader *l, struct group *groups)
{
    int own = l->set->layout->slots, made = l->set->made;
    if (l->set->layout->aligned) {
        groups[0] = (struct group){.slots = l->slots, .from = made, .files = own - made};
        return 1;
    }
    for (int k = 0; k < own; k++)
        groups[k] = (struct group){.first = k, .slots = 1, .from = k, .files = 1};
    groups[own - 1].slots += l->slots - own;
    return own;
}

static int make(struct gx_loader *l, struct job *job, struct gx_err *err)
{
    struct group groups[GX_SLOTS];
    int count = groups_of(l, groups), result = 0;
    for (int k = 0; k < count && !result; k++)
        result = make_group(l, job, &groups[k], err);
    return result && result != -GX_E_NOMEM ? -GX_E_CONFIG : result;
}

static void *work(void *arg)
{
    struct gx_loader *l = arg;
    struct job job;
    pthread_mutex_lock(&l->lock);
    while (take_job(l, &job)) {
        struct gx_err err = {""};
        pthread_mutex_unlock(&l->lock);
        int code = make(l, &job, &err);
        pthread_mutex_lock(&l->lock);
        finish_job(l, &job, code, &err);
    }
    pthread_mutex_unlock(&l->lock);
    vips_thread_shutdown();
    return NULL;
}

/* ---- life ---- */

static int reserve(struct gx_loader *l, struct gx_err *err)
{
    bool failed = false;
    l->ring = gx_new((size_t)l->depth * sizeof *l->ring);
    for (int k = 0; k < l->set->layout->slots; k++)
        l->cache[k] = gx_new(l->split->count[k] * sizeof *l->cache[k]);
    l->order = l->o.shuffle ? gx_new(l->count * sizeof *l->order) : NULL;
    l->thread = gx_new((size_t)l->o.workers * sizeof *l->thread);
    for (int i = 0; i < l->depth; i++) {
        struct batch *b = &l->ring[i];
        b->failed = -1;
        b->name = gx_new((size_t)l->o.batch * sizeof *b->name);
        if (l->split->label)
            b->label = gx_new((size_t)l->o.batch * l->set->domains * sizeof *b->label);
        for (int k = 0; k < l->slots; k++) {
            b->data[k] = malloc((size_t)l->o.batch * l->floats[k] * sizeof(float));
            failed = failed || !b->data[k];
        }
    }
    return failed ? gx_fail(err, GX_E_NOMEM, "out of memory for batches decoded ahead") : 0;
}

static int start(struct gx_loader *l, struct gx_err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's business */
    while (l->threads < l->o.workers && !pthread_create(&l->thread[l->threads], NULL, work, l))
        l->threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return l->threads ? 0 : gx_fail(err, GX_E_NOMEM, "cannot start a thread for decoding");
}

/* Samples that were handed out and not yet finished keep every worker busy. */
static int depth_of(const struct gx_loader_options *o)
{
    return 2 + 2 * o->workers / o->batch;
}

static struct gx_loader_options settle(const struct gx_dataset *set,
                                       const struct gx_loader_options *options)
{
    struct gx_loader_options o = *options;
    if (!set->layout->aligned)
        o.prepare.usm = NULL;
    o.workers = o.workers > 0 ? o.workers : 1;
    o.batch = o.batch > 0 ? o.batch : 1;
    o.ranks = o.ranks > 0 ? o.ranks : 1;
    return o;
}

/* One more than the layout has where that is made from its last. */
static int slots_of(const struct gx_dataset *set, const struct gx_prepare *p)
{
    bool made = p->usm || (!set->layout->aligned && p->degradation);
    return set->layout->slots + made;
}

static size_t floats_of(const struct gx_prepare *p, int slot, int height, int width)
{
    int shrink = gx_shrink_of(p, slot);
    return (size_t)(height / shrink) * (size_t)(width / shrink) * (size_t)p->channels[slot];
}

int gx_loader_new(struct gx_loader **loader, const struct gx_dataset *set,
                  const struct gx_split *split, const struct gx_loader_options *options,
                  struct gx_err *err)
{
    *loader = NULL;
    if (!split->count[0])
        return gx_fail(err, GX_E_CONFIG, "the data set '%s' has no samples to load", set->path);
    const struct gx_prepare *p = &options->prepare;
    bool scaled = p->load_size && (p->scaling == GX_SCALE_SQUARE || p->scaling == GX_SCALE_WIDTH);
    if (scaled && p->crop_size > p->load_size)
        return gx_fail(err, GX_E_CONFIG, "data.crop_size %d is larger than data.load_size %d",
                       p->crop_size, p->load_size);
    if (set->made && !p->degradation)
        return gx_fail(err, GX_E_USAGE,
                       "'%s' has sharp pictures only, and nothing says how small "
                       "ones are made of them",
                       set->path);
    struct gx_loader *l = gx_new(sizeof *l);
    l->split = split;
    l->set = set;
    l->o = settle(set, options);
    l->slots = slots_of(set, &l->o.prepare);
    l->count = gx_split_samples(split);
    l->step = l->job_step = options->first_step;
    l->order_epoch = -1;
    l->depth = depth_of(&l->o);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->room, NULL);
    pthread_cond_init(&l->ready, NULL);
    l->height = l->o.height;
    l->width = l->o.width;
    int result = l->height ? 0
                           : gx_sample_size(&split->view[set->made][0], set->made, &l->o.prepare,
                                            &l->height, &l->width, err);
    for (int k = 0; k < l->slots; k++)
        l->floats[k] = floats_of(&l->o.prepare, k, l->height, l->width);
    if (!result)
        result = reserve(l, err);
    if (!result)
        result = start(l, err);
    if (result)
        gx_loader_free(&l);
    *loader = l;
    return result;
}

void gx_loader_free(struct gx_loader **loader)
{
    struct gx_loader *l = *loader;
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->threads; i++)
        pthread_join(l->thread[i], NULL);
    for (int i = 0; i < l->depth && l->ring; i++) {
        for (int k = 0; k < l->slots; k++)
            free(l->ring[i].data[k]);
        free(l->ring[i].name);
        free(l->ring[i].label);
    }
    for (int k = 0; k < l->set->layout->slots; k++) {
        for (size_t i = 0; i < l->split->count[k] && l->cache[k]; i++)
            free(l->cache[k][i].samples);
        free(l->cache[k]);
    }
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->room);
    pthread_cond_destroy(&l->ready);
    for (int i = 0; i < l->warnings; i++)
        free(l->warning[i]);
    free(l->warning);
    free(l->ring);
    free(l->order);
    free(l->thread);
    free(l);
    *loader = NULL;
}

size_t gx_loader_needs(const struct gx_dataset *set, const struct gx_split *split,
                       const struct gx_loader_options *options, int height, int width)
{
    struct gx_loader_options o = settle(set, options);
    bool square = o.prepare.scaling == GX_SCALE_SQUARE;
    size_t ring = 0, cache = 0, side = square ? (size_t)o.prepare.load_size : 0;
    for (int k = 0; k < slots_of(set, &o.prepare); k++) {
        size_t channels = (size_t)o.prepare.channels[k];
        size_t sample = floats_of(&o.prepare, k, height, width);
        ring += (size_t)depth_of(&o) * (size_t)o.batch * sample * sizeof(float);
        cache +=
            split->count[k] * (side ? side * side * channels : sample) * 2; /* 16 bits at most */
    }
    bool known = side || !o.prepare.crop_size;
    return ring + (known && cache < o.cache_bytes ? cache : o.cache_bytes);
}

/* What workers found out about files since the last time; without the lock, which the user's
 * function has no business under. */
static void tell(struct gx_loader *l)
{
    pthread_mutex_lock(&l->lock);
    char **warning = l->warning;
    int count = l->warnings;
    l->warning = NULL;
    l->warnings = 0;
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < count; i++) {
        if (l->o.warn)
            l->o.warn(l->o.user, warning[i]);
        free(warning[i]);
    }
    free(warning);
}

int gx_loader_next(struct gx_loader *l, float *const *to, float *label, const char **names,
                   struct gx_err *err)
{
    pthread_mutex_lock(&l->lock);
    struct batch *b = &l->ring[l->step % l->depth];
    while (!l->code && b->done < l->o.batch)
        pthread_cond_wait(&l->ready, &l->lock);
    if (!l->code && b->failed >= 0) {
        l->code = b->code;
        l->err = b->err;
    }
    int result = l->code;
    if (result && err)
        *err = l->err;
    pthread_mutex_unlock(&l->lock);
    tell(l);
    if (result)
        return result;
    for (int k = 0; k < l->slots; k++)
        if (to[k])
            memcpy(to[k], b->data[k], (size_t)l->o.batch * l->floats[k] * sizeof(float));
    if (label && b->label)
        memcpy(label, b->label, (size_t)l->o.batch * l->set->domains * sizeof *label);
    if (names)
        memcpy(names, b->name, (size_t)l->o.batch * sizeof *names);
    pthread_mutex_lock(&l->lock);
    b->done = 0;
    l->step++;
    pthread_cond_broadcast(&l->room);
    pthread_mutex_unlock(&l->lock);
    return 0;
}
