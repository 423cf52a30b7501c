/* Configurations: any bytes are taken or refused with a place; what is taken can be saved, and what
 * is saved reads back to the same text. */
#include "config/dump.h"
#include "config/resolve.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gx_config config, back;
    struct gx_err err = {""};
    if (gx_config_init(&config, "pix2pix", &err))
        abort();
    if (gx_config_apply_yaml(&config, (const char *)data, size, "fuzz", GX_FROM_FILE, &err)) {
        if (strncmp(err.text, "fuzz:", 5))
            abort();
    } else {
        char *text = gx_config_yaml(&config);
        if (gx_config_read_text(&back, text, strlen(text), "saved", &err))
            abort();
        char *again = gx_config_yaml(&back);
        if (strcmp(text, again))
            abort();
        free(again);
        free(text);
        gx_config_clear(&back);
    }
    gx_config_clear(&config);
    return 0;
}
