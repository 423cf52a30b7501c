#include "weights/weights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static const struct gx_weights_format *const formats[] = {
    &gx_format_torch_zip,
    &gx_format_safetensors,
    &gx_format_torch_legacy,
};

/* What people take for weights by mistake, by its first bytes. */
static const struct {
    const char *bytes;
    int offset;
    const char *words;
} mistakes[] = {
    {"version https://git-lfs", 0,
     "is a Git-LFS pointer, not the weights themselves (fetch them with 'git lfs pull')"},
    {"ustar", 257, "is in PyTorch's old tar form, which is not supported (save it anew)"},
    {"\x1f\x8b", 0, "is a gzip archive (unpack it first)"},
    {"\x89HDF", 0, "is an HDF5 file (Keras), not safetensors or PyTorch's .pth"},
    {"GGUF", 0, "is a GGUF file, not safetensors or PyTorch's .pth"},
    {"\x93NUMPY", 0, "is a NumPy array, not safetensors or PyTorch's .pth"},
    {"\x89PNG", 0, "is a picture (PNG), not a weight file"},
    {"\xff\xd8\xff", 0, "is a picture (JPEG), not a weight file"},
};

/* ---- reading bytes ---- */

int gx_weights_pread(const struct gx_weights *w, int64_t offset, void *to, size_t bytes,
                     struct gx_err *err)
{
    if (offset < 0 || offset > w->size || (uint64_t)(w->size - offset) < bytes)
        return gx_fail(err, GX_E_FORMAT, "the file is truncated");
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(w->fd, (char *)to + done, bytes - done, offset + (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return gx_fail_errno(err, GX_E_IO, "cannot read");
        if (got == 0)
            return gx_fail(err, GX_E_FORMAT, "the file is truncated");
        done += (size_t)got;
    }
    return 0;
}

int gx_weights_crc(const struct gx_weights *w, int64_t offset, int64_t bytes, uint32_t *crc,
                   struct gx_err *err)
{
    uint8_t buffer[65536];
    while (bytes > 0) {
        size_t part = bytes < (int64_t)sizeof buffer ? (size_t)bytes : sizeof buffer;
        int result = gx_weights_pread(w, offset, buffer, part, err);
        if (result)
            return result;
        *crc = (uint32_t)crc32(*crc, buffer, (uInt)part);
        offset += (int64_t)part;
        bytes -= (int64_t)part;
    }
    return 0;
}

uint64_t gx_little(const uint8_t *from, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | from[i];
    return value;
}

const char *gx_printable(char *to, size_t room, const char *text, size_t length)
{
    size_t used = 0;
    for (; used < length && used + 1 < room; used++)
        to[used] = text[used] >= ' ' && text[used] <= '~' ? text[used] : '?';
    to[used] = 0;
    return to;
}

/* ---- the table of tensors ---- */

/* Names go to terminals and into other files: no control characters, and sound UTF-8. */
static bool name_is_sound(const char *name, size_t length)
{
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)name[i++];
        int more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xc2) || c > 0xf4)
            return false;
        uint32_t code = more == 3 ? c & 7 : more == 2 ? c & 15 : c & 31;
        for (int k = more; k > 0; k--, i++) {
            if (i >= length || ((unsigned char)name[i] & 0xc0) != 0x80)
                return false;
            code = code << 6 | ((unsigned char)name[i] & 63);
        }
        if ((more == 1 && code < 0xa0) || (more == 2 && code < 0x800) ||
            (more == 2 && code >= 0xd800 && code < 0xe000) ||
            (more == 3 && (code < 0x10000 || code > 0x10ffff)))
            return false;
    }
    return true;
}

int gx_weights_add(struct gx_weights *w, const char *name, size_t length, enum gx_dtype dtype,
                   int rank, const int64_t *dims, struct gx_tensor_record **record,
                   struct gx_err *err)
{
    char shown[80];
    if (length > 7 && !memcmp(name, "module.", 7)) {
        name += 7;
        length -= 7;
    }
    if (length > GX_NAME_MAX)
        return gx_fail(err, GX_E_LIMIT, "tensor '%s...' has a name of %zu bytes; at most %d",
                       gx_printable(shown, 60, name, length), length, GX_NAME_MAX);
    if (length == 0 || !name_is_sound(name, length))
        return gx_fail(err, GX_E_FORMAT, "tensor '%s' has a name that is not text",
                       gx_printable(shown, sizeof shown, name, length));
    if (rank > GX_RANK_MAX)
        return gx_fail(err, GX_E_LIMIT, "tensor '%.*s' has %d dimensions; at most %d", (int)length,
                       name, rank, GX_RANK_MAX);
    if (w->count == w->room) {
        w->room = w->room ? 2 * w->room : 256;
        w->tensor = gx_grow(w->tensor, (size_t)w->room * sizeof *w->tensor);
    }
    struct gx_tensor_record *t = &w->tensor[w->count];
    *t = (struct gx_tensor_record){.info = {.dtype = dtype, .rank = rank, .count = 1}};
    bool empty = false, overflow = false;
    for (int i = 0; i < rank; i++) {
        empty = empty || dims[i] == 0;
        overflow = overflow || dims[i] < 0 ||
                   __builtin_mul_overflow(t->info.count, dims[i] ? dims[i] : 1, &t->info.count);
        t->info.dims[i] = dims[i];
    }
    int64_t bytes;
    if (overflow || __builtin_mul_overflow(t->info.count, (int64_t)8, &bytes))
        return gx_fail(err, GX_E_FORMAT, "tensor '%.*s' has an impossible shape", (int)length,
                       name);
    if (empty)
        t->info.count = 0;
    char *copy = gx_arena_alloc(&w->arena, length + 1);
    memcpy(copy, name, length);
    t->info.name = copy;
    w->count++;
    *record = t;
    return 0;
}

static int by_name(const void *a, const void *b, void *context)
{
    const struct gx_tensor_record *tensor = context;
    return strcmp(tensor[*(const int *)a].info.name, tensor[*(const int *)b].info.name);
}

static int index_names(struct gx_weights *w, struct gx_err *err)
{
    w->by_name = gx_new((size_t)w->count * sizeof *w->by_name);
    for (int i = 0; i < w->count; i++)
        w->by_name[i] = i;
    qsort_r(w->by_name, (size_t)w->count, sizeof *w->by_name, by_name, w->tensor);
    for (int i = 1; i < w->count; i++) {
        const char *name = w->tensor[w->by_name[i]].info.name;
        if (!strcmp(name, w->tensor[w->by_name[i - 1]].info.name))
            return gx_fail(err, GX_E_FORMAT, "two tensors are named '%s'", name);
    }
    return 0;
}

/* ---- opening ---- */

static int refuse_unknown(const uint8_t *head, size_t bytes, struct gx_err *err)
{
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        size_t length = strlen(mistakes[i].bytes), offset = (size_t)mistakes[i].offset;
        if (bytes >= offset + length && !memcmp(head + offset, mistakes[i].bytes, length))
            return gx_fail(err, GX_E_FORMAT, "it %s", mistakes[i].words);
    }
    const char *text = (const char *)head;
    if (bytes >= 3 && !memcmp(head, "\xef\xbb\xbf", 3))
        text += 3;
    text += strspn(text, " \t\r\n");
    static const char *const pages[] = {"<!doctype", "<html", "<head", "<?xml", "<!--", "<body"};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (!strncasecmp(text, pages[i], strlen(pages[i])))
            return gx_fail(err, GX_E_FORMAT,
                           "it is an HTML page, not the weights (was the download link a page?)");
    return gx_fail(err, GX_E_FORMAT, "it is not a weight file (safetensors or PyTorch's .pth)");
}

static int load(struct gx_weights *w, struct gx_err *err)
{
    uint8_t head[512 + 1] = {0};
    size_t bytes = w->size < 512 ? (size_t)w->size : 512;
    if (bytes == 0)
        return gx_fail(err, GX_E_FORMAT, "the file is empty");
    int result = gx_weights_pread(w, 0, head, bytes, err);
    if (result)
        return result;
    for (size_t i = 0; i < sizeof formats / sizeof *formats && !w->format; i++)
        if (formats[i]->matches(w, head, bytes))
            w->format = formats[i];
    if (!w->format)
        return refuse_unknown(head, bytes, err);
    result = w->format->load(w, err);
    if (result)
        return result;
    gx_weights_rename(w);
    return index_names(w, err);
}

int gx_weights_open(struct gx_weights **weights, const char *path, struct gx_err *err)
{
    *weights = NULL;
    int fd;
    /* Not blocking, lest a named pipe without a writer hang us before it is refused. */
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return gx_fail_errno(err, GX_E_IO, "cannot open '%s'", path);
    struct gx_weights *w = gx_new(sizeof *w);
    w->fd = fd;
    w->path = gx_arena_text(&w->arena, path);
    struct stat st;
    int result;
    if (fstat(fd, &st))
        result = gx_fail_errno(err, GX_E_IO, "cannot open '%s'", path);
    else if (!S_ISREG(st.st_mode))
        result = gx_fail(err, GX_E_IO, "cannot open '%s': it is %s", path,
                         S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
    else {
        w->size = st.st_size;
        result = load(w, err);
        if (result)
            gx_context(err, result, "cannot load '%s'", path);
    }
    if (result)
        gx_weights_close(&w);
    *weights = w;
    return result;
}

void gx_weights_close(struct gx_weights **weights)
{
    struct gx_weights *w = *weights;
    if (!w)
        return;
    close(w->fd);
    free(w->tensor);
    free(w->by_name);
    gx_arena_clear(&w->arena);
    free(w);
    *weights = NULL;
}

/* ---- looking ---- */

const char *gx_weights_format(const struct gx_weights *w)
{
    return w->format->name;
}

int gx_weights_count(const struct gx_weights *w)
{
    return w->count;
}

const struct gx_tensor_info *gx_weights_info(const struct gx_weights *w, int i)
{
    return &w->tensor[i].info;
}

int gx_weights_find(const struct gx_weights *w, const char *name)
{
    for (int low = 0, high = w->count; low < high;) {
        int middle = low + (high - low) / 2, at = w->by_name[middle];
        int order = strcmp(name, w->tensor[at].info.name);
        if (order == 0)
            return at;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

const char *gx_weights_metadata(const struct gx_weights *w, const char *key)
{
    for (int i = 0; i < w->metadata_count; i++)
        if (!strcmp(w->metadata[i].key, key))
            return w->metadata[i].value;
    return NULL;
}

int gx_weights_metadata_count(const struct gx_weights *w)
{
    return w->metadata_count;
}

void gx_weights_metadata_at(const struct gx_weights *w, int i, const char **key, const char **value)
{
    *key = w->metadata[i].key;
    *value = w->metadata[i].value;
}

/* ---- reading tensors ---- */

/* As floats, or as they lie in the file (`own`). */
static int read_contiguous(const struct gx_weights *w, const struct gx_tensor_record *t,
                           int64_t from, int64_t count, bool own, void *to, struct gx_err *err)
{
    char buffer[32768];
    int width = gx_dtype_bytes(t->info.dtype);
    bool whole = t->has_crc && from == 0 && count == t->info.count;
    uint32_t crc = 0;
    /* The CRC is taken while the bytes are in the cache; what is not converted needs no buffer
     * between. */
    int64_t most = (int64_t)sizeof buffer / width;
    for (int64_t done = 0; done < count;) {
        int64_t part = count - done < most ? count - done : most;
        bool direct = own || t->info.dtype == GX_F32;
        if (direct && !whole)
            part = count - done;
        void *bytes = direct ? (char *)to + done * width : buffer;
        int result = gx_weights_pread(w, t->offset + (from + done) * width, bytes,
                                      (size_t)(part * width), err);
        if (result)
            return result;
        if (whole)
            crc = (uint32_t)crc32(crc, bytes, (uInt)(part * width));
        if (!direct)
            gx_to_float(t->info.dtype, buffer, part, (float *)to + done);
        done += part;
    }
    if (whole && crc != t->crc)
        return gx_fail(err, GX_E_FORMAT, "the data do not match their CRC-32");
    return 0;
}

/* A view with strides: the bytes that it spans (part of one storage, so part of the file) are read
 * at once, then gathered in row-major order. */
static int read_strided(const struct gx_weights *w, const struct gx_tensor_record *t, int64_t from,
                        int64_t count, bool own, void *to, struct gx_err *err)
{
    const struct gx_tensor_info *info = &t->info;
    int64_t last = 0, index[GX_RANK_MAX] = {0}, rest = from;
    for (int d = info->rank - 1; d >= 0; d--) {
        last += (info->dims[d] - 1) * t->stride[d];
        index[d] = rest % info->dims[d];
        rest /= info->dims[d];
    }
    int width = gx_dtype_bytes(info->dtype);
    size_t span = (size_t)((last + 1) * width);
    char *bytes = malloc(span);
    if (!bytes)
        return gx_fail(err, GX_E_NOMEM, "out of memory: %zu bytes", span);
    int result = gx_weights_pread(w, t->offset, bytes, span, err);
    for (int64_t i = 0; i < count && !result; i++) {
        int64_t at = 0;
        for (int d = 0; d < info->rank; d++)
            at += index[d] * t->stride[d];
        if (own)
            memcpy((char *)to + i * width, bytes + at * width, (size_t)width);
        else
            gx_to_float(info->dtype, bytes + at * width, 1, (float *)to + i);
        for (int d = info->rank - 1; d >= 0 && ++index[d] == info->dims[d]; d--)
            index[d] = 0;
    }
    free(bytes);
    return result;
}

static int read_part(struct gx_weights *w, int i, int64_t from, int64_t count, bool own, void *to,
                     struct gx_err *err)
{
    const struct gx_tensor_record *t = &w->tensor[i];
    if (from < 0 || count < 0 || from > t->info.count || count > t->info.count - from)
        return gx_fail(err, GX_E_USAGE, "tensor '%s' has no %lld elements after the first %lld",
                       t->info.name, (long long)count, (long long)from);
    if (count == 0)
        return 0;
    int result = t->contiguous ? read_contiguous(w, t, from, count, own, to, err)
                               : read_strided(w, t, from, count, own, to, err);
    return result ? gx_context(err, result, "cannot load '%s': tensor '%s'", w->path, t->info.name)
                  : 0;
}

int gx_weights_read_part(struct gx_weights *w, int i, int64_t from, int64_t count, float *to,
                         struct gx_err *err)
{
    return read_part(w, i, from, count, false, to, err);
}

int gx_weights_read_own(struct gx_weights *w, int i, int64_t from, int64_t count, void *to,
                        struct gx_err *err)
{
    return read_part(w, i, from, count, true, to, err);
}

int gx_weights_read(struct gx_weights *w, int i, float *to, struct gx_err *err)
{
    return gx_weights_read_part(w, i, 0, w->tensor[i].info.count, to, err);
}

int gx_weights_verify(struct gx_weights *w, struct gx_err *err)
{
    int result = w->format->verify ? w->format->verify(w, err) : 0;
    return result ? gx_context(err, result, "cannot load '%s'", w->path) : 0;
}
