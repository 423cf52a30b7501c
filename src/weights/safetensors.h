/* What the reader and the writer of safetensors share: above all the checksum, metadata
 * "ganx.crc32": eight hexadecimal digits, zlib's CRC-32 of the whole file with those eight digits
 * taken as zeros. The header is covered too, since a flipped bit in its metadata (a step, a
 * position in the data) would do as much harm as one in a weight. */
#ifndef GX_WEIGHTS_SAFETENSORS_H
#define GX_WEIGHTS_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#define GX_CRC_KEY  "ganx.crc32"
#define GX_CRC_MARK "\"" GX_CRC_KEY "\":\"" /* what stands before the digits */
enum { GX_CRC_DIGITS = 8, GX_HEADER_MAX = 100000000 };

/* CRC-32 of the header with its length before it. */
uint32_t gx_header_crc(const char *header, size_t length);

#endif
