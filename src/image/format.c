/* The picture formats that ganx knows, one row each, and starting libvips.
 *
 * A file's format is told by its content, never by its name, and before libvips sees it: a loader
 * that is off is never entered, and what is no picture is called by what it is. libvips' own block
 * list is set to the same rows, so that neither can be fooled alone. */
#include "image/image.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool starts(const unsigned char *head, size_t size, const char *with, size_t length)
{
    return size >= length && !memcmp(head, with, length);
}

#define STARTS(text) starts(head, size, text, sizeof(text) - 1)

static bool is_jpeg(const unsigned char *head, size_t size)
{
    return STARTS("\xff\xd8\xff");
}

static bool is_png(const unsigned char *head, size_t size)
{
    return STARTS("\x89PNG\r\n\x1a\n");
}

static bool is_webp(const unsigned char *head, size_t size)
{
    return STARTS("RIFF") && size >= 12 && !memcmp(head + 8, "WEBP", 4);
}

static bool is_tiff(const unsigned char *head, size_t size)
{
    return STARTS("II*\0") || STARTS("MM\0*") || STARTS("II+\0") || STARTS("MM\0+");
}

static bool is_gif(const unsigned char *head, size_t size)
{
    return STARTS("GIF87a") || STARTS("GIF89a");
}

static bool is_ppm(const unsigned char *head, size_t size)
{
    return size > 2 && head[0] == 'P' && strchr("123456fF", head[1]) && head[1] &&
           (head[2] == '#' || strchr(" \t\r\n", head[2])) && head[2];
}

static bool is_heif(const unsigned char *head, size_t size)
{
    static const char brands[] = "heic heix hevc hevx mif1 msf1 avif avis";
    char brand[5] = "";
    if (size < 12 || memcmp(head + 4, "ftyp", 4))
        return false;
    memcpy(brand, head + 8, 4);
    return strlen(brand) == 4 && strstr(brands, brand);
}

static bool is_jxl(const unsigned char *head, size_t size)
{
    return STARTS("\xff\x0a") || STARTS("\0\0\0\x0cJXL ");
}

static bool is_jp2(const unsigned char *head, size_t size)
{
    return STARTS("\0\0\0\x0cjP  ") || STARTS("\xff\x4f\xff\x51");
}

static bool has_word(const unsigned char *head, size_t size, const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; i + length <= size; i++)
        if (!strncasecmp((const char *)head + i, word, length))
            return true;
    return false;
}

static bool is_html(const unsigned char *head, size_t size)
{
    return has_word(head, size, "<!doctype html") || has_word(head, size, "<html");
}

static bool is_svg(const unsigned char *head, size_t size)
{
    return has_word(head, size, "<svg") && !is_html(head, size);
}

static bool is_pdf(const unsigned char *head, size_t size)
{
    return STARTS("%PDF");
}

static bool is_psd(const unsigned char *head, size_t size)
{
    return STARTS("8BPS");
}

static bool is_bmp(const unsigned char *head, size_t size)
{
    return STARTS("BM") && size >= 26;
}

static bool is_exr(const unsigned char *head, size_t size)
{
    return STARTS("\x76\x2f\x31\x01");
}

static bool is_hdr(const unsigned char *head, size_t size)
{
    return STARTS("#?RADIANCE") || STARTS("#?RGBE");
}

static bool is_fits(const unsigned char *head, size_t size)
{
    return STARTS("SIMPLE  =");
}

/* libjpeg stops at 65500, GIF's sides are 16-bit numbers, WebP's 14-bit ones; libpng reads no more
 * than a million by default. */
static const struct gx_format formats[] = {
    {"jpg", "jpg jpeg jpe jfif", "VipsForeignLoadJpeg", is_jpeg, true, "jpegsave_target", false,
     false, 65500},
    {"png", "png apng", "VipsForeignLoadPng", is_png, true, "pngsave_target", true, true, 1000000},
    {"webp", "webp", "VipsForeignLoadWebp", is_webp, true, "webpsave_target", true, false, 16383,
     true},
    {"tiff", "tiff tif", "VipsForeignLoadTiff", is_tiff, true, "tiffsave_target", true, true, 0},
    {"gif", "gif", "VipsForeignLoadNsgif", is_gif, true, "gifsave_target", true, false, 65535,
     true},
    {"ppm", "ppm pgm pbm pnm pfm", "VipsForeignLoadPpm", is_ppm, true, "ppmsave_target", false,
     true, 0},
    {"heif", "heif heic avif", "VipsForeignLoadHeif", is_heif},
    {"jxl", "jxl", "VipsForeignLoadJxl", is_jxl},
    {"jp2", "jp2 j2k jpx", "VipsForeignLoadJp2k", is_jp2},
    {"svg", "svg", "VipsForeignLoadSvg", is_svg},
    {"pdf", "pdf", "VipsForeignLoadPdf", is_pdf},
    {"bmp", "bmp", "VipsForeignLoadMagick", is_bmp},
    {"psd", "psd", "VipsForeignLoadMagick", is_psd},
    {"exr", "exr", "VipsForeignLoadOpenexr", is_exr},
    {"hdr", "hdr", "VipsForeignLoadRad", is_hdr},
    {"fits", "fits fit", "VipsForeignLoadFits", is_fits},
};
enum { FORMATS = sizeof formats / sizeof *formats };

/* Rows that are on, a bit each. Per process, as libvips keeps its block list. */
static atomic_uint on;

const struct gx_format *gx_format_sniff(const unsigned char *head, size_t size)
{
    for (int i = 0; i < FORMATS; i++)
        if (formats[i].sniff(head, size))
            return &formats[i];
    return NULL;
}

bool gx_format_is_on(const struct gx_format *format)
{
    return atomic_load(&on) >> (format - formats) & 1;
}

const char *gx_not_a_picture(const unsigned char *head, size_t size)
{
    if (STARTS("version https://git-lfs"))
        return "a Git LFS pointer: fetch the file itself";
    if (is_html(head, size))
        return "HTML text";
    if (STARTS("<?xml"))
        return "XML text";
    if (STARTS("PK\x03\x04"))
        return "a zip archive";
    if (STARTS("\x1f\x8b"))
        return "gzip data";
    if (STARTS("YUV4MPEG2 "))
        return "a y4m film: ganx sr upscale - - takes it from standard input";
    if (STARTS("\x1a\x45\xdf\xa3") || (size >= 8 && !memcmp(head + 4, "ftyp", 4)))
        return "a film: ffmpeg makes pictures or y4m of it";
    bool text = true, zero = true;
    for (size_t i = 0; i < size; i++) {
        text = text && (head[i] >= 32 ? head[i] != 127 : strchr("\t\r\n\f", head[i]) && head[i]);
        zero = zero && !head[i];
    }
    return zero ? "nothing but zeros" : text ? "text" : "unknown data";
}

/* Whether `word` (of length `length`) is one of the words in `list`. */
static bool listed(const char *list, const char *word, size_t length)
{
    for (const char *at = list; *at; at += strspn(at, " ")) {
        size_t size = strcspn(at, " ");
        if (size == length && !strncasecmp(at, word, length))
            return true;
        at += size;
    }
    return false;
}

static const struct gx_format *row_of(const char *word, size_t length)
{
    for (int i = 0; i < FORMATS; i++)
        if (listed(formats[i].suffixes, word, length))
            return &formats[i];
    return NULL;
}

const struct gx_format *gx_format_row(const char *word)
{
    return row_of(word, strlen(word));
}

/* The suffix after the last dot of the last part of a path; NULL if there is none. */
static const char *suffix_of(const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    const char *dot = strrchr(base, '.');
    return dot && dot > base ? dot + 1 : NULL;
}

bool gx_picture_name(const char *name)
{
    const char *suffix = suffix_of(name);
    const struct gx_format *format = suffix ? gx_format_row(suffix) : NULL;
    return format && (format->trusted || gx_format_is_on(format));
}

const char *gx_picture_name_off(const char *name)
{
    const char *suffix = suffix_of(name);
    const struct gx_format *format = suffix ? gx_format_row(suffix) : NULL;
    return format && !gx_picture_name(name) ? format->name : NULL;
}

const char *gx_format_find(const char *word)
{
    const struct gx_format *format = gx_format_row(word);
    return format && format->saver ? format->name : NULL;
}

const char *gx_format_of_name(const char *name)
{
    const char *suffix = suffix_of(name);
    return suffix ? gx_format_find(suffix) : NULL;
}

int gx_format_check(const char *format, int64_t width, int64_t height, struct gx_err *err)
{
    const struct gx_format *row = gx_format_row(format);
    if (!row || !row->saver)
        return gx_fail(err, GX_E_USAGE,
                       "unknown picture format '%s': choose png, jpg, webp, tiff, gif or ppm",
                       format);
    /* libvips itself stops at ten million. */
    int64_t most = row->max_side ? row->max_side : VIPS_MAX_COORD;
    if (width > most || height > most)
        return gx_fail(
            err, GX_E_LIMIT,
            "a picture of %lldx%lld does not fit into the format %s, which holds at most "
            "%lld pixels a side: choose png or tiff",
            (long long)width, (long long)height, row->name, (long long)most);
    return 0;
}

/* ---- starting ---- */

static void drop_message(const gchar *domain, GLogLevelFlags level, const gchar *text,
                         gpointer data)
{
    (void)domain;
    (void)level;
    (void)text;
    (void)data;
}

static int parse_loaders(const char *loaders, unsigned *rows, struct gx_err *err)
{
    for (const char *at = loaders ? loaders : ""; *at; at += strspn(at, ", ")) {
        size_t length = strcspn(at, ", ");
        const struct gx_format *format = row_of(at, length);
        if (length && !format)
            return gx_fail(err, GX_E_USAGE,
                           "unknown loader '%.*s': choose from heif, jxl, jp2, svg, pdf, bmp, psd, "
                           "exr, hdr, fits",
                           (int)length, at);
        if (format)
            *rows |= 1u << (format - formats);
        at += length;
    }
    return 0;
}

static int check_loaders(unsigned rows, struct gx_err *err)
{
    for (int i = 0; i < FORMATS; i++)
        if (rows >> i & 1 && !formats[i].trusted && !g_type_from_name(formats[i].loader))
            return gx_fail(err, GX_E_USAGE, "this libvips cannot read the format %s",
                           formats[i].name);
    return 0;
}

static void allow(unsigned rows)
{
    vips_operation_block_set("VipsForeignLoad", TRUE);
    for (int i = 0; i < FORMATS; i++)
        if (rows >> i & 1)
            vips_operation_block_set(formats[i].loader, FALSE);
    atomic_store(&on, rows);
}

/* Under a lock. */
static int start(const char *loaders, struct gx_err *err)
{
    static bool modules; /* are loaded */
    unsigned trusted = 0, rows = 0;
    for (int i = 0; i < FORMATS; i++)
        trusted |= (unsigned)formats[i].trusted << i;
    if (!atomic_load(&on)) {
        /* What libvips has to say about a file we say ourselves, in one line with the file's name;
         * and what GObject has to say when libvips takes over a header whose sides are 0. */
        g_log_set_handler("VIPS", G_LOG_LEVEL_MASK & ~(unsigned)G_LOG_LEVEL_ERROR, drop_message,
                          NULL);
        g_log_set_handler("GLib-GObject", G_LOG_LEVEL_WARNING, drop_message, NULL);
        if (gx_vips_start(&modules))
            return gx_fail(err, GX_E_NOMEM, "cannot start libvips");
        vips_cache_set_max(0);
        allow(trusted);
    }
    int code = parse_loaders(loaders, &rows, err);
    if (code)
        return code;
    if (rows & ~trusted && !modules) {
        gx_vips_load_modules();
        modules = true;
        allow(atomic_load(&on)); /* blocks the new ones */
    }
    code = check_loaders(rows, err);
    if (!code)
        allow(rows | trusted);
    return code;
}

int gx_image_start(const char *loaders, int threads, struct gx_err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    int code = start(loaders, err);
    if (!code)
        vips_concurrency_set(threads > 0 ? threads : 1);
    pthread_mutex_unlock(&lock);
    return code;
}

int gx_background_parse(const char *text, uint8_t rgb[3], struct gx_err *err)
{
    static const struct {
        const char *name;
        unsigned value;
    } names[] = {{"white", 0xffffff}, {"black", 0}, {"grey", 0x808080}, {"gray", 0x808080}};
    unsigned value = 0;
    bool found = *text == '#' && strlen(text) == 7 &&
                 strspn(text + 1, "0123456789abcdefABCDEF") == 6 && sscanf(text + 1, "%x", &value);
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++)
        if ((found = !strcasecmp(text, names[i].name)))
            value = names[i].value;
    if (!found)
        return gx_fail(err, GX_E_USAGE, "unknown colour '%s': write white, black, grey or #rrggbb",
                       text);
    for (int i = 0; i < 3; i++)
        rgb[i] = (uint8_t)(value >> (16 - 8 * i));
    return 0;
}
