#include "cmd/jobs.h"

#include "util/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAMES_BYTES_MAX = 256 << 20, DEPTH_MAX = 64 };

struct plan {
    struct gx_jobs *jobs;
    const struct gx_jobs_request *request;
    const char *out; /* without slashes at its end */
    struct stat out_stat;
    bool out_exists;
    int room;
    struct gx_err *err;
};

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The part of a name after its last dot, or NULL. */
static const char *suffix_of(const char *name)
{
    const char *dot = strrchr(last_part(name), '.');
    return dot && dot != last_part(name) ? dot + 1 : NULL;
}

static struct gx_job *append(struct plan *p, const char *in)
{
    struct gx_jobs *jobs = p->jobs;
    if (jobs->count == p->room) {
        p->room = 2 * p->room + 64;
        jobs->job = gx_grow(jobs->job, (size_t)p->room * sizeof *jobs->job);
    }
    struct gx_job *job = &jobs->job[jobs->count++];
    *job = (struct gx_job){.in = gx_arena_text(&jobs->arena, in)};
    job->output = gx_arena_alloc(&jobs->arena, (size_t)jobs->outputs * sizeof *job->output);
    return job;
}

/* "folder/name"; a folder that is a file system's root has its slash already, and "" is no part. */
static const char *join(struct plan *p, const char *folder, const char *name)
{
    const char *slash = !*name || folder[strlen(folder) - 1] == '/' ? "" : "/";
    return gx_arena_format(&p->jobs->arena, "%s%s%s", folder, slash, name);
}

/* An input whose outputs are files of the folder `under`, below OUT or below each variant's folder
 * in it; "" for that itself. */
static struct gx_job *append_under(struct plan *p, const char *in, const char *under)
{
    struct gx_arena *arena = &p->jobs->arena;
    struct gx_job *job = append(p, in);
    const char *name = !strcmp(in, "-") ? "stdin" : last_part(in);
    const char *asked = p->request->format, *own = p->request->format_of(name);
    job->format = *asked ? asked : own ? own : p->request->fallback;
    if (!own || strcmp(own, job->format)) {
        const char *suffix = suffix_of(name);
        int stem = suffix ? (int)(suffix - 1 - name) : (int)strlen(name);
        name = gx_arena_format(arena, "%.*s.%s", stem, name, job->format);
    }
    for (int i = 0; i < p->jobs->outputs; i++) {
        struct gx_output *to = &job->output[i];
        const char *top = p->request->variants ? join(p, p->out, p->request->variant[i]) : p->out;
        to->folder = join(p, top, under);
        to->path = join(p, to->folder, name);
    }
    return job;
}

struct level { /* folders from the top to the one being read */
    const struct level *up;
    dev_t device;
    ino_t inode;
};

static bool was_met(const struct level *level, const struct stat *s)
{
    for (; level; level = level->up)
        if (level->device == s->st_dev && level->inode == s->st_ino)
            return true;
    return false;
}

static bool is_out(const struct plan *p, const struct stat *s)
{
    return p->out_exists && s->st_dev == p->out_stat.st_dev && s->st_ino == p->out_stat.st_ino;
}

/* A file of a folder: what is no picture by its name is nobody's business, but a picture that is
 * left out for its format is counted. */
static void consider(struct plan *p, const char *path, const char *under)
{
    struct gx_jobs *jobs = p->jobs;
    if (p->request->is_input(path)) {
        append_under(p, path, under);
    } else if (p->request->format_off(path)) {
        if (!jobs->passed_over++) {
            jobs->passed_over_name = path;
            jobs->passed_over_format = p->request->format_off(path);
        }
    }
}

/* Files of a folder in byte order, then of its subfolders. OUT itself and loops of links are left
 * out; a folder that cannot be listed is one failed input. */
static void walk(struct plan *p, const char *folder, const char *under, const struct level *up,
                 int depth)
{
    struct gx_arena *arena = &p->jobs->arena;
    struct gx_names names;
    struct gx_err why;
    struct stat s;
    if (gx_folder_list(folder, &names, &why)) {
        append_under(p, folder, under)->problem = gx_arena_text(arena, why.text);
        return;
    }
    struct level level = {.up = up};
    if (!stat(folder, &s)) {
        level.device = s.st_dev;
        level.inode = s.st_ino;
    }
    for (int folders = 0; folders < 1 + p->request->recursive; folders++)
        for (size_t i = 0; i < names.count; i++) {
            const char *path = join(p, folder, names.name[i]);
            bool is_folder = !stat(path, &s) && S_ISDIR(s.st_mode);
            if (is_folder != (folders == 1))
                continue;
            if (!is_folder)
                consider(p, path, under);
            if (is_folder && !is_out(p, &s) && !was_met(&level, &s) && depth < DEPTH_MAX)
                walk(p, path, *under ? join(p, under, names.name[i]) : names.name[i], &level,
                     depth + 1);
        }
    gx_names_free(&names);
}

static void add_input(struct plan *p, const char *in)
{
    if (strcmp(in, "-") && gx_is_folder(in))
        walk(p, in, "", NULL, 0);
    else
        append_under(p, in, "");
}

static int read_all(FILE *from, char **data, size_t *size)
{
    size_t room = 0, got;
    *data = NULL;
    *size = 0;
    do {
        if (*size + 65536 >= room)
            *data = gx_grow(*data, room = 2 * room + (1 << 17));
        got = fread(*data + *size, 1, 65536, from);
        *size += got;
    } while (got && *size < NAMES_BYTES_MAX);
    (*data)[*size] = '\0';
    return ferror(from);
}

static int add_listed(struct plan *p, const char *list)
{
    char *data;
    size_t size;
    bool from_input = !strcmp(list, "-");
    if (from_input && read_all(stdin, &data, &size)) {
        free(data);
        return gx_fail_errno(p->err, GX_E_IO, "cannot read names from standard input");
    }
    int code = from_input ? 0 : gx_file_read(list, NAMES_BYTES_MAX, &data, &size, p->err);
    if (code)
        return code;
    char end = memchr(data, '\0', size) ? '\0' : '\n';
    for (char *at = data; at < data + size;) {
        char *stop = memchr(at, end, (size_t)(data + size - at));
        if (!stop)
            stop = data + size;
        *stop = '\0'; /* the byte past the end is the reader's own NUL */
        if (end == '\n' && stop > at && stop[-1] == '\r')
            stop[-1] = '\0'; /* a list from Windows */
        if (*at)
            add_input(p, at);
        at = stop + 1;
    }
    free(data);
    return 0;
}

struct claim { /* of an input on an output */
    const char *out;
    const struct gx_job *job;
};

static int by_out(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    int order = strcmp(x->out, y->out);
    return order ? order : (x->job > y->job) - (x->job < y->job);
}

static int refuse_collisions(const struct plan *p)
{
    struct gx_jobs *jobs = p->jobs;
    size_t most = (size_t)jobs->count * (size_t)jobs->outputs, count = 0;
    struct claim *claim = gx_new((most + 1) * sizeof *claim);
    int code = 0;
    for (int i = 0; i < jobs->count; i++)
        for (int k = 0; k < jobs->outputs && !jobs->job[i].problem; k++)
            claim[count++] = (struct claim){jobs->job[i].output[k].path, &jobs->job[i]};
    qsort(claim, count, sizeof *claim, by_out);
    for (size_t i = 1; !code && i < count; i++)
        if (!strcmp(claim[i].out, claim[i - 1].out))
            code = gx_fail(p->err, GX_E_USAGE, "'%s' and '%s' would both become '%s'",
                           claim[i - 1].job->in, claim[i].job->in, claim[i].out);
    free(claim);
    return code;
}

struct identity {
    dev_t device;
    ino_t inode;
    const char *in;
};

static int by_identity(const void *a, const void *b)
{
    const struct identity *x = a, *y = b;
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return (x->inode > y->inode) - (x->inode < y->inode);
}

/* An output that is any of the inputs would destroy it, perhaps before it is read. */
static int refuse_inputs_as_outputs(const struct plan *p)
{
    struct gx_jobs *jobs = p->jobs;
    struct identity *inputs = gx_new((size_t)(jobs->count + 1) * sizeof *inputs);
    size_t count = 0;
    struct stat s;
    int code = 0;
    for (int i = 0; i < jobs->count; i++)
        if (strcmp(jobs->job[i].in, "-") && !stat(jobs->job[i].in, &s))
            inputs[count++] = (struct identity){s.st_dev, s.st_ino, jobs->job[i].in};
    qsort(inputs, count, sizeof *inputs, by_identity);
    for (int i = 0; !code && i < jobs->count * jobs->outputs; i++) {
        const char *out = jobs->job[i / jobs->outputs].output[i % jobs->outputs].path;
        if (!strcmp(out, "-") || stat(out, &s) || !S_ISREG(s.st_mode))
            continue;
        struct identity key = {s.st_dev, s.st_ino, NULL};
        const struct identity *same = bsearch(&key, inputs, count, sizeof *inputs, by_identity);
        if (same)
            code = gx_fail(p->err, GX_E_USAGE, "the output '%s' is the input '%s'; name another",
                           out, same->in);
    }
    free(inputs);
    return code;
}

/* An input of several outputs is skipped when all are there; else the missing ones are made. */
static int skip_existing(const struct plan *p)
{
    bool single = !p->jobs->batch && !p->request->variants;
    for (int i = 0; i < p->jobs->count && !p->request->force; i++) {
        struct gx_job *job = &p->jobs->job[i];
        struct stat s;
        int there = 0;
        for (int k = 0; k < p->jobs->outputs && !job->problem; k++) {
            struct gx_output *to = &job->output[k];
            if (!strcmp(to->path, "-") || lstat(to->path, &s))
                continue;
            if (single && (S_ISREG(s.st_mode) || S_ISLNK(s.st_mode)))
                return gx_fail(p->err, GX_E_USAGE, "'%s' exists; --force writes over it", to->path);
            to->exists = !single;
            there += !single;
        }
        if (there == p->jobs->outputs)
            job->skip = there > 1 ? "its outputs exist" : "its output exists";
    }
    return 0;
}

/* One input that becomes the file (or stream) OUT. */
static int plan_single(struct plan *p, const char *in, const char *out)
{
    const struct gx_jobs_request *q = p->request;
    struct gx_job *job = append(p, in);
    const char *said = strcmp(out, "-") ? q->format_of(out) : NULL;
    const char *own = strcmp(in, "-") && strcmp(out, "-") ? q->format_of(in) : NULL;
    job->output->path = gx_arena_text(&p->jobs->arena, out);
    job->output->folder = "";
    job->format = *q->format ? q->format : said ? said : own ? own : q->fallback;
    if (!*q->format && !said && strcmp(out, "-") && suffix_of(out) &&
        (q->is_input(out) || q->format_off(out)))
        return gx_fail(p->err, GX_E_USAGE, "cannot write '.%s' files; name the output '.%s'",
                       suffix_of(out), q->fallback);
    return 0;
}

/* What kind of output the words ask for; fills in the jobs. */
static int plan_words(struct plan *p, const char *const *in, int inputs, const char *out)
{
    const struct gx_jobs_request *q = p->request;
    bool to_stream = !strcmp(out, "-"), slash = *out && out[strlen(out) - 1] == '/';
    bool to_folder = slash || q->variants || (p->out_exists && S_ISDIR(p->out_stat.st_mode));
    bool several =
        inputs > 1 || *q->files_from || (inputs && strcmp(in[0], "-") && gx_is_folder(in[0]));
    int from_stream = *q->files_from && !strcmp(q->files_from, "-");
    for (int i = 0; i < inputs; i++)
        from_stream += !strcmp(in[i], "-");
    if (from_stream > 1)
        return gx_fail(p->err, GX_E_USAGE, "standard input can be read only once");
    if (!several && !to_folder)
        return plan_single(p, in[0], out);
    if (to_stream)
        return gx_fail(p->err, GX_E_USAGE, "standard output takes one picture, not several");
    if (p->out_exists && !S_ISDIR(p->out_stat.st_mode))
        return gx_fail(p->err, GX_E_USAGE, "'%s' must be a folder, for there are several %s", out,
                       several ? "inputs" : "outputs");
    p->jobs->batch = several;
    int code = *q->files_from ? add_listed(p, q->files_from) : 0;
    for (int i = 0; !code && i < inputs; i++)
        add_input(p, in[i]);
    return code;
}

int gx_jobs_plan(struct gx_jobs *jobs, const struct gx_jobs_request *request, struct gx_err *err)
{
    struct plan p = {.jobs = jobs, .request = request, .err = err};
    *jobs = (struct gx_jobs){.outputs = request->variants ? request->variants : 1};
    int inputs = request->operands - 1;
    if (*request->files_from && inputs > 0)
        return gx_fail(err, GX_E_USAGE, "with --files-from only the output is named, not '%s' too",
                       request->operand[0]);
    if (inputs < (*request->files_from ? 0 : 1))
        return gx_fail(err, GX_E_USAGE, "%s",
                       inputs < 0 ? "expected IN... OUT" : "expected IN... OUT: one is missing");
    const char *out = request->operand[inputs];
    if (!*out)
        return gx_fail(err, GX_E_USAGE, "the output has an empty name");
    size_t length = strlen(out);
    while (length > 1 && out[length - 1] == '/')
        length--;
    p.out = gx_arena_format(&jobs->arena, "%.*s", (int)length, out);
    p.out_exists = strcmp(out, "-") && !stat(p.out, &p.out_stat);
    int code = plan_words(&p, request->operand, inputs, out);
    if (code || (code = refuse_collisions(&p)) || (code = refuse_inputs_as_outputs(&p)))
        return code;
    return skip_existing(&p);
}

void gx_jobs_clear(struct gx_jobs *jobs)
{
    free(jobs->job);
    gx_arena_clear(&jobs->arena);
    memset(jobs, 0, sizeof *jobs);
}
