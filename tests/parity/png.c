/* PNG pictures of fixtures, read without the library that the program itself reads them with. */
#include "parity.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "util/file.h"

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int paeth(int a, int b, int c)
{
    int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/* Undoes the row filters; rows of `stride` bytes, each behind its filter's number. */
static void unfilter(unsigned char *row, int rows, int stride, int c)
{
    for (int y = 0; y < rows; y++, row += stride + 1) {
        unsigned char *x = row + 1, *above = row - stride;
        for (int i = 0; i < stride; i++) {
            int a = i >= c ? x[i - c] : 0, b = y ? above[i] : 0;
            int corner = y && i >= c ? above[i - c] : 0;
            int guess[] = {0, a, b, (a + b) / 2, paeth(a, b, corner)};
            x[i] = (unsigned char)(x[i] + guess[row[0] < 5 ? row[0] : 0]);
        }
    }
}

/* One pixel of `from` channels as `to` channels. */
static void convert(const unsigned char *x, int from, unsigned char *y, int to)
{
    bool colour = from >= 3;
    unsigned char rgb[3] = {x[0], x[colour ? 1 : 0], x[colour ? 2 : 0]};
    unsigned char alpha = from % 2 ? 255 : x[from - 1];
    if (to >= 3)
        memcpy(y, rgb, 3);
    else
        y[0] =
            colour
                ? (unsigned char)((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16)
                : x[0];
    if (to % 2 == 0)
        y[to - 1] = alpha;
}

/* The unpacked rows of the picture, each behind its filter's number. */
static unsigned char *unpack(const unsigned char *png, size_t size, size_t room)
{
    unsigned char *packed = malloc(size), *rows = malloc(room);
    size_t filled = 0;
    uLongf unpacked = room;
    for (size_t at = 8; at + 12 <= size;) {
        size_t length = big_endian(png + at);
        if (length > size - at - 12)
            break;
        if (!memcmp(png + at + 4, "IDAT", 4)) {
            memcpy(packed + filled, png + at + 8, length);
            filled += length;
        }
        at += length + 12;
    }
    if (uncompress(rows, &unpacked, packed, filled) != Z_OK || unpacked != room) {
        free(rows);
        rows = NULL;
    }
    free(packed);
    return rows;
}

int fixture_picture(const char *path, int channels, struct fixture_picture *picture,
                    struct gx_err *err)
{
    static const int channels_of[] = {1, 0, 3, 0, 2, 0, 4};
    char *file;
    size_t size;
    int r = gx_file_read(path, 64 << 20, &file, &size, err);
    if (r)
        return r;
    const unsigned char *png = (const unsigned char *)file;
    unsigned char *rows = NULL;
    int c = 0, w = 0, h = 0;
    if (size >= 33 && !memcmp(png, "\x89PNG", 4) && png[24] == 8 && png[25] <= 6 && !png[28]) {
        w = (int)big_endian(png + 16);
        h = (int)big_endian(png + 20);
        c = channels_of[png[25]];
    }
    if (c && w > 0 && h > 0 && w <= 1 << 15 && h <= 1 << 15)
        rows = unpack(png, size, (size_t)h * ((size_t)w * (size_t)c + 1));
    free(file);
    if (!rows)
        return gx_fail(err, GX_E_FORMAT, "'%s' is not a plain 8-bit PNG", path);
    unfilter(rows, h, w * c, c);
    int to = channels ? channels : c;
    *picture = (struct fixture_picture){w, h, to, malloc((size_t)w * (size_t)h * (size_t)to)};
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            convert(rows + (size_t)y * ((size_t)w * (size_t)c + 1) + 1 + (size_t)x * (size_t)c, c,
                    picture->data + ((size_t)y * (size_t)w + (size_t)x) * (size_t)to, to);
    free(rows);
    return 0;
}
