/* Films: the framing of y4m and of PNG streams, in and out. Planes are yuv.c's, pictures the rest of
 * this folder's. */
#include "image/film.h"
#include "image/image.h"
#include "util/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BUFFER = 1 << 16,
    LINE = 1024,         /* bytes of a header at most */
    MOST_SIDE = 1 << 20, /* pixels, far beyond any film */
    CHUNK = 12           /* bytes of a PNG chunk besides its data */
};

/* ---- bytes ---- */

struct bytes {
    int fd;
    const char *name;
    unsigned char data[BUFFER];
    size_t at, end;
};

/* Has at least `size` bytes in the buffer, fewer at the end only. */
static int peek(struct bytes *b, size_t size, struct gx_err *err)
{
    if (b->at > 0 && b->end - b->at < size) {
        memmove(b->data, b->data + b->at, b->end - b->at);
        b->end -= b->at;
        b->at = 0;
    }
    while (b->end - b->at < size) {
        ssize_t got = read(b->fd, b->data + b->end, BUFFER - b->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return gx_fail_errno(err, GX_E_IO, "cannot read '%s'", b->name);
        if (got == 0)
            return 0;
        b->end += (size_t)got;
    }
    return 0;
}

/* *more: there is at least one byte. */
static int more_bytes(struct bytes *b, bool *more, struct gx_err *err)
{
    int result = peek(b, 1, err);
    *more = b->end > b->at;
    return result;
}

/* Up to `size` bytes; fewer at the end only. */
static int read_bytes(struct bytes *b, void *to, size_t size, size_t *got, struct gx_err *err)
{
    bool more = true;
    int result = 0;
    *got = 0;
    while (*got < size && !(result = more_bytes(b, &more, err)) && more) {
        size_t now = b->end - b->at < size - *got ? b->end - b->at : size - *got;
        memcpy((unsigned char *)to + *got, b->data + b->at, now);
        *got += now;
        b->at += now;
    }
    return result;
}

/* A line without its end. *length is -1 if the film is over, -2 if it is within the line, or the line
 * goes on for too long. */
static int read_line(struct bytes *b, char line[LINE], int *length, struct gx_err *err)
{
    bool more = true;
    int used = 0, result = 0;
    while (used < LINE && !(result = more_bytes(b, &more, err)) && more) {
        char c = (char)b->data[b->at++];
        if (c == '\n') {
            line[used] = 0;
            *length = used;
            return 0;
        }
        line[used++] = c;
    }
    line[used < LINE ? used : LINE - 1] = 0;
    *length = !more && used == 0 ? -1 : -2;
    return result;
}

/* ---- a PNG within a stream ---- */

struct blob {
    unsigned char *data;
    size_t used, room;
};

static int append(struct bytes *b, struct blob *to, size_t size, bool *whole, struct gx_err *err)
{
    enum { STEP = 1 << 20 }; /* what a header claims is not taken at its word */
    *whole = true;
    while (size > 0 && *whole) {
        size_t now = size < STEP ? size : STEP, got;
        if (to->used + now > to->room) {
            size_t room = 2 * to->room > to->used + now ? 2 * to->room : to->used + now;
            unsigned char *data = realloc(to->data, room);
            if (!data)
                return gx_fail(err, GX_E_NOMEM, "out of memory while reading '%s'", b->name);
            to->data = data;
            to->room = room;
        }
        int result = read_bytes(b, to->data + to->used, now, &got, err);
        if (result)
            return result;
        to->used += got;
        size -= got;
        *whole = got == now;
    }
    return 0;
}

static uint32_t big_endian(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool is_png(const unsigned char *head, size_t size)
{
    return size >= 8 && !memcmp(head, "\x89PNG\r\n\x1a\n", 8);
}

/* Appends a PNG from its signature to its IEND to an empty `to`. *whole: it is one, and whole. */
static int append_png(struct bytes *b, struct blob *to, size_t limit, bool *whole,
                      struct gx_err *err)
{
    int result = append(b, to, 8, whole, err);
    *whole = *whole && is_png(to->data, to->used);
    for (bool last = false; !result && *whole && !last;) {
        size_t at = to->used;
        if ((result = append(b, to, 8, whole, err)) || !*whole)
            return result;
        size_t size = big_endian(to->data + at);
        last = !memcmp(to->data + at + 4, "IEND", 4);
        if (to->used + size > limit)
            return gx_fail(err, GX_E_LIMIT, "a picture of '%s' is longer than %zu bytes", b->name,
                           limit);
        result = append(b, to, size + CHUNK - 8, whole, err);
    }
    return result;
}

/* ---- y4m's header ---- */

static const struct {
    const char *name, *deep; /* with 8 bits; what stands before the bits, NULL: only 8 */
    enum gx_chroma chroma;
} chromas[] = {
    {"420jpeg", NULL, GX_CHROMA_420JPEG},   {"420mpeg2", "420p", GX_CHROMA_420MPEG2},
    {"420paldv", NULL, GX_CHROMA_420PALDV}, {"420", NULL, GX_CHROMA_420JPEG},
    {"422", "422p", GX_CHROMA_422},         {"444", "444p", GX_CHROMA_444},
    {"mono", "mono", GX_CHROMA_MONO},
};
enum { CHROMAS = sizeof chromas / sizeof *chromas };

static bool parse_chroma(const char *text, struct gx_film_facts *f)
{
    for (int i = 0; i < CHROMAS; i++) {
        size_t length = chromas[i].deep ? strlen(chromas[i].deep) : 0;
        int bits = !strcmp(text, chromas[i].name) ? 8 : 0;
        if (!bits && length && !strncmp(text, chromas[i].deep, length)) {
            char *end;
            long number = strtol(text + length, &end, 10);
            bits = !*end && number >= 9 && number <= 16 ? (int)number : 0;
        }
        if (bits) {
            f->chroma = chromas[i].chroma;
            f->bits = bits;
            return true;
        }
    }
    return false;
}

/* A number of digits only, below 2^31; gives what follows it, NULL if there is none. */
static const char *parse_number(const char *text, int *number)
{
    int64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && value <= INT32_MAX; at++)
        value = 10 * value + (*at - '0');
    *number = (int)value;
    return at > text && value <= INT32_MAX ? at : NULL;
}

static bool parse_fraction(const char *text, int fraction[2])
{
    const char *at = parse_number(text, &fraction[0]);
    return at && *at == ':' && (at = parse_number(at + 1, &fraction[1])) && !*at;
}

static bool parse_side(const char *text, int *side)
{
    const char *end = parse_number(text, side);
    return end && !*end && *side >= 1;
}

static bool parse_word(const char *word, struct gx_film_facts *f)
{
    switch (word[0]) {
    case 'W':
        return parse_side(word + 1, &f->width);
    case 'H':
        return parse_side(word + 1, &f->height);
    case 'F':
        return parse_fraction(word + 1, f->rate);
    case 'A':
        return parse_fraction(word + 1, f->aspect);
    case 'C':
        return parse_chroma(word + 1, f);
    case 'I':
        f->interlacing = word[1];
        return word[1] && strchr("ptbm?", word[1]) && !word[2];
    case 'X':
        if (!strcmp(word, "XCOLORRANGE=FULL"))
            f->full = true;
        return true;
    default: /* of a later version */
        return true;
    }
}

static int check_size(const struct gx_film_facts *f, const char *name, int64_t max_pixels,
                      struct gx_err *err)
{
    if (f->width > MOST_SIDE || f->height > MOST_SIDE || (int64_t)f->width * f->height > max_pixels)
        return gx_fail(err, GX_E_LIMIT,
                       "frames of '%s' have %dx%d pixels, more than the limit of %lld "
                       "(--max-pixels)",
                       name, f->width, f->height, (long long)max_pixels);
    return 0;
}

static int parse_header(struct bytes *b, struct gx_film_facts *f, struct gx_err *err)
{
    char line[LINE], *rest = NULL;
    int length, result = read_line(b, line, &length, err);
    if (result)
        return result;
    if (length < 0)
        return gx_fail(err, GX_E_FORMAT, "cannot read '%s': the y4m header does not end", b->name);
    *f = (struct gx_film_facts){
        .format = "y4m", .channels = 3, .bits = 8, .chroma = GX_CHROMA_420JPEG};
    for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (word != line && !parse_word(word, f))
            return gx_fail(err, GX_E_FORMAT, "cannot read '%s': '%.40s' in the y4m header", b->name,
                           word);
    if (!f->width || !f->height)
        return gx_fail(err, GX_E_FORMAT, "cannot read '%s': the y4m header names no size", b->name);
    return 0;
}

/* ---- reading ---- */

struct gx_film_in {
    struct bytes bytes;
    char *name;
    struct gx_film_facts facts;
    struct gx_open_options options;
    size_t limit;          /* bytes of a PNG */
    struct blob png;       /* the next picture, if it has been read */
    unsigned char *planes; /* y4m; NULL until the first frame */
    float *scratch;
    int64_t frames; /* that were read */
};

void gx_film_close(struct gx_film_in **film)
{
    struct gx_film_in *f = *film;
    if (!f)
        return;
    free(f->png.data);
    free(f->planes);
    free(f->scratch);
    free(f->name);
    free(f);
    *film = NULL;
}

const struct gx_film_facts *gx_film_facts(const struct gx_film_in *film)
{
    return &film->facts;
}

/* Opens the PNG that lies in f->png. */
static int open_png(struct gx_film_in *f, struct gx_picture **picture, struct gx_err *err)
{
    struct gx_open_options options = f->options;
    options.keep_profile = false; /* frames are written without */
    return gx_picture_open_memory(picture, f->png.data, f->png.used, f->name, &options, err);
}

static int facts_of_png(struct gx_film_in *f, struct gx_err *err)
{
    struct gx_picture *picture;
    int result = open_png(f, &picture, err);
    if (result)
        return result;
    const struct gx_facts *facts = gx_picture_facts(picture);
    f->facts = (struct gx_film_facts){.format = "png",
                                      .width = facts->width,
                                      .height = facts->height,
                                      .channels = facts->alpha ? 4 : 3,
                                      .bits = facts->bits};
    gx_picture_free(&picture);
    return 0;
}

/* The rest of the descriptor after what is known of it, as one picture. */
static int open_picture(struct gx_film_in *f, struct gx_picture **picture, struct gx_err *err)
{
    bool whole;
    int result = append(&f->bytes, &f->png, f->bytes.end - f->bytes.at, &whole, err);
    if (result)
        return result;
    struct blob data = f->png;
    f->png = (struct blob){0};
    return gx_picture_open_rest(picture, f->bytes.fd, data.data, data.used, f->name, &f->options,
                                err);
}

/* Finds out what it is. *is_film: a film, whose facts are known now. */
static int recognise(struct gx_film_in *f, bool *is_film, struct gx_err *err)
{
    static const char word[] = "YUV4MPEG2 ";
    struct bytes *b = &f->bytes;
    bool whole;
    int result = peek(b, sizeof word - 1, err);
    if (!result && b->end >= sizeof word - 1 && !memcmp(b->data, word, sizeof word - 1)) {
        *is_film = true;
        if (!(result = parse_header(b, &f->facts, err)))
            result = check_size(&f->facts, f->name, f->options.max_pixels, err);
        return result;
    }
    if (result || !is_png(b->data, b->end))
        return result;
    result = append_png(b, &f->png, f->limit, &whole, err);
    if (!result && whole && !(result = peek(b, 8, err)) &&
        is_png(b->data + b->at, b->end - b->at)) {
        *is_film = true;
        result = facts_of_png(f, err);
    }
    return result;
}

int gx_film_open(struct gx_film_in **film, struct gx_picture **picture, int fd, const char *name,
                 const struct gx_open_options *options, struct gx_err *err)
{
    struct gx_film_in *f = gx_new(sizeof *f);
    bool is_film = false;
    *film = NULL;
    *picture = NULL;
    f->name = gx_new_text(name);
    f->bytes.fd = fd;
    f->bytes.name = f->name;
    f->options = options ? *options : (struct gx_open_options){0};
    f->options.max_pixels = f->options.max_pixels ? f->options.max_pixels : GX_MAX_PIXELS;
    f->limit = (size_t)f->options.max_pixels * 8 + ((size_t)64 << 20);
    int result = recognise(f, &is_film, err);
    if (!result && !is_film)
        result = open_picture(f, picture, err);
    if (!result && is_film)
        *film = f;
    else
        gx_film_close(&f);
    return result;
}

static int fail_cut(const struct gx_film_in *f, struct gx_err *err)
{
    return gx_fail(err, GX_E_FORMAT, "'%s' is truncated: it ends within frame %lld", f->name,
                   (long long)f->frames + 1);
}

static int read_planes(struct gx_film_in *f, float *frame, bool *more, struct gx_err *err)
{
    char line[LINE];
    int length, result = read_line(&f->bytes, line, &length, err);
    *more = false;
    if (result || length == -1)
        return result;
    if (length == -2 && !strncmp(line, "FRAME", strnlen(line, 5)) && f->bytes.at == f->bytes.end)
        return fail_cut(f, err);
    if (length < 5 || strncmp(line, "FRAME", 5) || (line[5] && line[5] != ' '))
        return gx_fail(err, GX_E_FORMAT, "'%s' is damaged: frame %lld does not begin with FRAME",
                       f->name, (long long)f->frames + 1);
    size_t size = gx_yuv_bytes(&f->facts), got;
    if (!f->planes)
        f->planes = malloc(size);
    if (!f->scratch)
        f->scratch = malloc(2 * (size_t)f->facts.width * sizeof *f->scratch);
    if (!f->planes || !f->scratch)
        return gx_fail(err, GX_E_NOMEM, "out of memory for a frame of '%s'", f->name);
    if ((result = read_bytes(&f->bytes, f->planes, size, &got, err)))
        return result;
    if (got < size)
        return fail_cut(f, err);
    gx_yuv_to_rgb(&f->facts, f->planes, f->scratch, frame);
    *more = true;
    return 0;
}

static int decode_png(struct gx_film_in *f, float *frame, struct gx_err *err)
{
    struct gx_picture *picture;
    struct gx_stream_in *in = NULL;
    int result = open_png(f, &picture, err);
    if (result)
        return result;
    const struct gx_facts *facts = gx_picture_facts(picture);
    if (facts->width != f->facts.width || facts->height != f->facts.height)
        result = gx_fail(err, GX_E_FORMAT, "'%s' has %dx%d pixels after frames of %dx%d", f->name,
                         facts->width, facts->height, f->facts.width, f->facts.height);
    else if (!(result = gx_stream_open(&in, picture, f->facts.channels, 0, 1, err)))
        result = gx_stream_read(in, facts->height, frame, err);
    gx_stream_close(&in);
    gx_picture_free(&picture);
    return result;
}

static int read_png(struct gx_film_in *f, float *frame, bool *more, struct gx_err *err)
{
    bool whole = true;
    int result = 0;
    *more = true;
    if (f->png.used == 0) { /* the first has been read already */
        result = more_bytes(&f->bytes, more, err);
        if (!result && *more)
            result = append_png(&f->bytes, &f->png, f->limit, &whole, err);
    }
    if (!result && !whole)
        result = f->bytes.at == f->bytes.end
                     ? fail_cut(f, err)
                     : gx_fail(err, GX_E_FORMAT, "'%s' is damaged: frame %lld is no PNG", f->name,
                               (long long)f->frames + 1);
    if (!result && *more)
        result = decode_png(f, frame, err);
    if (result && whole)
        gx_context(err, result, "frame %lld", (long long)f->frames + 1);
    f->png.used = 0;
    *more = *more && !result;
    return result;
}

int gx_film_read(struct gx_film_in *f, float *frame, bool *more, struct gx_err *err)
{
    int result = !strcmp(f->facts.format, "png") ? read_png(f, frame, more, err)
                                                 : read_planes(f, frame, more, err);
    f->frames += *more;
    return result;
}

/* ---- writing ---- */

struct gx_film_out {
    struct gx_film_facts facts;
    char *name;
    int fd;
    unsigned char *planes; /* y4m */
    bool begun;
};

void gx_film_end(struct gx_film_out **film)
{
    struct gx_film_out *f = *film;
    if (!f)
        return;
    free(f->planes);
    free(f->name);
    free(f);
    *film = NULL;
}

static int check_facts(const struct gx_film_facts *f, const char *name, struct gx_err *err)
{
    bool y4m = !strcmp(f->format, "y4m");
    if ((!y4m && strcmp(f->format, "png")) || f->width < 1 || f->height < 1 ||
        (f->channels != 3 && f->channels != 4) || f->bits < 8 || f->bits > 16)
        return gx_fail(err, GX_E_USAGE, "'%s' cannot be a film of %dx%d, %d channels of %d bits",
                       name, f->width, f->height, f->channels, f->bits);
    return y4m ? check_size(f, name, INT64_MAX, err)
               : gx_format_check("png", f->width, f->height, err);
}

int gx_film_begin(struct gx_film_out **film, const struct gx_film_facts *facts, int fd,
                  const char *name, struct gx_err *err)
{
    *film = NULL;
    int result = check_facts(facts, name, err);
    if (result)
        return result;
    struct gx_film_out *f = gx_new(sizeof *f);
    f->facts = *facts;
    f->fd = fd;
    f->name = gx_new_text(name);
    if (!strcmp(facts->format, "y4m") && !(f->planes = malloc(gx_yuv_bytes(facts)))) {
        gx_film_end(&f);
        return gx_fail(err, GX_E_NOMEM, "out of memory for a frame of %dx%d", facts->width,
                       facts->height);
    }
    *film = f;
    return 0;
}

/* Gives the length. */
static int write_header(const struct gx_film_facts *f, char line[LINE])
{
    int row = 0;
    while (chromas[row].chroma != f->chroma || (f->bits > 8 && !chromas[row].deep))
        if (++row == CHROMAS) { /* with more bits there is one 420 */
            row = 1;
            break;
        }
    int used = snprintf(line, LINE, "YUV4MPEG2 W%d H%d", f->width, f->height);
    if (f->rate[1])
        used += snprintf(line + used, LINE - used, " F%d:%d", f->rate[0], f->rate[1]);
    if (f->interlacing)
        used += snprintf(line + used, LINE - used, " I%c", f->interlacing);
    if (f->aspect[1])
        used += snprintf(line + used, LINE - used, " A%d:%d", f->aspect[0], f->aspect[1]);
    if (f->bits > 8)
        used += snprintf(line + used, LINE - used, " C%s%d", chromas[row].deep, f->bits);
    else
        used += snprintf(line + used, LINE - used, " C%s", chromas[row].name);
    used += snprintf(line + used, LINE - used, " XCOLORRANGE=%s\n", f->full ? "FULL" : "LIMITED");
    return used;
}

static int write_png(struct gx_film_out *f, const float *frame, bool *closed, struct gx_err *err)
{
    struct gx_write_options options = gx_write_defaults;
    const struct gx_pixels pixels = {frame, f->facts.width, f->facts.height, f->facts.channels, 0,
                                     1};
    options.format = "png";
    options.bits = f->facts.bits > 8 ? 16 : 8;
    return gx_picture_write_fd(&pixels, NULL, &options, f->fd, f->name, closed, err);
}

int gx_film_write(struct gx_film_out *f, const float *frame, bool *closed, struct gx_err *err)
{
    char line[LINE];
    if (closed)
        *closed = false;
    if (!f->planes)
        return write_png(f, frame, closed, err);
    gx_rgb_to_yuv(&f->facts, frame, f->planes);
    bool failed = !f->begun && gx_put(f->fd, line, (size_t)write_header(&f->facts, line));
    f->begun = true;
    if (failed || gx_put(f->fd, "FRAME\n", 6) ||
        gx_put(f->fd, f->planes, gx_yuv_bytes(&f->facts))) {
        if (closed)
            *closed = errno == EPIPE;
        return gx_fail_errno(err, GX_E_IO, "cannot write '%s'", f->name);
    }
    return 0;
}
