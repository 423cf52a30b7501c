/* Any bytes as a weight file: open it, look at everything, verify it, read each tensor. */
#include "ganx/weights.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ELEMENTS = 1 << 16, TENSORS = 256 }; /* read at most; what lies beyond is more of the same */

static void read_all(struct gx_weights *w)
{
    static float to[ELEMENTS];
    for (int i = 0; i < gx_weights_count(w); i++) {
        const struct gx_tensor_info *info = gx_weights_info(w, i);
        if (!info->name[0] || gx_weights_find(w, info->name) != i)
            abort();
        int64_t count = info->count < ELEMENTS ? info->count : ELEMENTS;
        if (i < TENSORS && gx_weights_read_part(w, i, info->count - count, count, to, NULL) == 0 &&
            count == info->count && gx_weights_read(w, i, to, NULL) == -GX_E_IO)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gx_err err = {""};
    struct gx_weights *w;
    char path[64];
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int result = gx_weights_open(&w, path, &err);
    if (result == 0) {
        read_all(w);
        for (int i = 0; i < gx_weights_metadata_count(w); i++) {
            const char *key, *value;
            gx_weights_metadata_at(w, i, &key, &value);
            if (!key || !value || !gx_weights_metadata(w, key))
                abort();
        }
        (void)!gx_weights_verify(w, &err);
        gx_weights_close(&w);
    } else if (w || !err.text[0] || (result != -GX_E_FORMAT && result != -GX_E_LIMIT)) {
        abort();
    }
    close(fd);
    return 0;
}
