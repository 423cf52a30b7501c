/* Planes of luma and chroma <-> RGB floats.
 *
 * ITU-R BT.601 and BT.709: Y = kr R + kg G + kb B, U = (B - Y) / (2 - 2 kb), V = (R - Y) / (2 - 2
 * kr). Limited range: Y from 16 to 235, U and V 224 wide around 128, times 2^(bits - 8). */
#include "image/clip.h"
#include "image/film.h"

#include <math.h>

/* How samples of one plane lie among pixels along one axis: every `step`-th, the first at `first`. */
struct siting {
    int step;
    float first;
};

struct layout {
    struct siting across, down;
    int width, height; /* of a chroma plane */
    bool mono;
    int bytes; /* a sample */
    float kr, kb;
    float black, luma, middle, chroma; /* sample values: of Y = 0, Y's and U's width, of U = 0 */
    float most;
};

static struct layout layout_of(const struct gx_film_facts *f)
{
    static const struct siting every = {1, 0}, left = {2, 0}, between = {2, 0.5f};
    bool full = f->full, quarter = f->chroma <= GX_CHROMA_420PALDV;
    bool hd = f->matrix ? f->matrix == 709 : f->width >= 1280 || f->height > 576;
    float unit = (float)(1 << (f->bits - 8)), most = (float)((1 << f->bits) - 1);
    struct layout l = {
        .across = f->chroma == GX_CHROMA_420JPEG          ? between
                  : quarter || f->chroma == GX_CHROMA_422 ? left
                                                          : every,
        .down = f->chroma == GX_CHROMA_420PALDV ? left
                : quarter                       ? between
                                                : every,
        .mono = f->chroma == GX_CHROMA_MONO,
        .bytes = f->bits > 8 ? 2 : 1,
        .kr = hd ? 0.2126f : 0.299f,
        .kb = hd ? 0.0722f : 0.114f,
        .black = full ? 0 : 16 * unit,
        .luma = full ? most : 219 * unit,
        .middle = 128 * unit,
        .chroma = full ? most : 224 * unit,
        .most = most,
    };
    l.width = (f->width + l.across.step - 1) / l.across.step;
    l.height = (f->height + l.down.step - 1) / l.down.step;
    return l;
}

size_t gx_yuv_bytes(const struct gx_film_facts *f)
{
    const struct layout l = layout_of(f);
    size_t chroma = l.mono ? 0 : 2 * (size_t)l.width * l.height;
    return ((size_t)f->width * f->height + chroma) * (size_t)l.bytes;
}

static inline float sample(const struct layout *l, const unsigned char *plane, size_t at)
{
    return l->bytes == 1 ? plane[at] : (float)(plane[2 * at] | plane[2 * at + 1] << 8);
}

static inline void put(const struct layout *l, unsigned char *plane, size_t at, float value)
{
    unsigned v = value > 0 ? value < l->most ? (unsigned)lrintf(value) : (unsigned)l->most : 0;
    if (l->bytes == 1)
        plane[at] = (unsigned char)v;
    else {
        plane[2 * at] = (unsigned char)v;
        plane[2 * at + 1] = (unsigned char)(v >> 8);
    }
}

/* ---- chroma of every pixel ---- */

/* Where pixel `at` lies between two of `count` samples: the first of them, and how far. */
static int between_samples(struct siting s, int at, int count, float *share)
{
    float place = ((float)at - s.first) / (float)s.step;
    int first = (int)floorf(place);
    *share = place - (float)first;
    if (first < 0 || first >= count - 1) {
        *share = 0;
        first = first < 0 ? 0 : count - 1;
    }
    return first;
}

/* Row y of a chroma plane, one value a pixel, around 0. */
static void spread(const struct layout *l, const unsigned char *plane, int y, int width, float *to)
{
    float below, right;
    int top = between_samples(l->down, y, l->height, &below);
    const size_t row = (size_t)top * l->width, next = below > 0 ? row + l->width : row;
    for (int x = 0; x < width; x++) {
        size_t at = (size_t)between_samples(l->across, x, l->width, &right);
        size_t after = right > 0 ? at + 1 : at;
        float up = sample(l, plane, row + at) * (1 - right) + sample(l, plane, row + after) * right;
        float low =
            sample(l, plane, next + at) * (1 - right) + sample(l, plane, next + after) * right;
        to[x] = (up * (1 - below) + low * below - l->middle) / l->chroma;
    }
}

void gx_yuv_to_rgb(const struct gx_film_facts *f, const unsigned char *planes, float *scratch,
                   float *rgb)
{
    const struct layout l = layout_of(f);
    size_t luma = (size_t)f->width * f->height, chroma = (size_t)l.width * l.height;
    const unsigned char *u_plane = planes + luma * l.bytes, *v_plane = u_plane + chroma * l.bytes;
    float *u = scratch, *v = scratch + f->width, kg = 1 - l.kr - l.kb;
    for (int y = 0; y < f->height; y++) {
        if (!l.mono) {
            spread(&l, u_plane, y, f->width, u);
            spread(&l, v_plane, y, f->width, v);
        }
        for (int x = 0; x < f->width; x++, rgb += 3) {
            float grey = (sample(&l, planes, (size_t)y * f->width + x) - l.black) / l.luma;
            float red = l.mono ? grey : grey + v[x] * (2 - 2 * l.kr);
            float blue = l.mono ? grey : grey + u[x] * (2 - 2 * l.kb);
            rgb[0] = gx_clip(red);
            rgb[1] = gx_clip(l.mono ? grey : (grey - l.kr * red - l.kb * blue) / kg);
            rgb[2] = gx_clip(blue);
        }
    }
}

/* ---- chroma of several pixels ---- */

/* The pixels whose mean is sample `at`, of `count` pixels: 1 2 1 around one, or two, or one. */
static int gathered(struct siting s, int at, int count, int pixel[3], float weight[3])
{
    static const float on[3] = {0.25f, 0.5f, 0.25f};
    int taps = s.step == 1 ? 1 : s.first > 0 ? 2 : 3;
    for (int i = 0; i < taps; i++) {
        int place = at * s.step + i - (taps == 3);
        pixel[i] = place < 0 ? 0 : place < count ? place : count - 1;
        weight[i] = taps == 3 ? on[i] : 1 / (float)taps;
    }
    return taps;
}

static inline float luma_of(const struct layout *l, const float *rgb)
{
    return l->kr * gx_clip(rgb[0]) + (1 - l->kr - l->kb) * gx_clip(rgb[1]) +
           l->kb * gx_clip(rgb[2]);
}

/* One row of both chroma planes. */
static void gather(const struct layout *l, const struct gx_film_facts *f, const float *rgb, int y,
                   unsigned char *u_plane, unsigned char *v_plane)
{
    int rows[3], columns[3];
    float down[3], across[3];
    int high = gathered(l->down, y, f->height, rows, down);
    for (int x = 0; x < l->width; x++) {
        int wide = gathered(l->across, x, f->width, columns, across);
        float u = 0, v = 0;
        for (int j = 0; j < high; j++)
            for (int i = 0; i < wide; i++) {
                const float *pixel = rgb + ((size_t)rows[j] * f->width + columns[i]) * f->channels;
                float grey = luma_of(l, pixel), weight = down[j] * across[i];
                u += weight * (gx_clip(pixel[2]) - grey);
                v += weight * (gx_clip(pixel[0]) - grey);
            }
        size_t at = (size_t)y * l->width + x;
        put(l, u_plane, at, l->middle + l->chroma * u / (2 - 2 * l->kb));
        put(l, v_plane, at, l->middle + l->chroma * v / (2 - 2 * l->kr));
    }
}

void gx_rgb_to_yuv(const struct gx_film_facts *f, const float *rgb, unsigned char *planes)
{
    const struct layout l = layout_of(f);
    size_t luma = (size_t)f->width * f->height, chroma = (size_t)l.width * l.height;
    unsigned char *u_plane = planes + luma * l.bytes, *v_plane = u_plane + chroma * l.bytes;
    for (size_t i = 0; i < luma; i++)
        put(&l, planes, i, l.black + l.luma * luma_of(&l, rgb + i * f->channels));
    for (int y = 0; y < l.height && !l.mono; y++)
        gather(&l, f, rgb, y, u_plane, v_plane);
}
