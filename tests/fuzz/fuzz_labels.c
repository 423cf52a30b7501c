/* Attribute tables: any bytes are taken or refused with the table's name; what is taken finds each of
 * its rows again, by the file's name and by its stem. */
#include "image/labels.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gx_labels labels;
    struct gx_err err = {""};
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    if (gx_labels_parse(&labels, "fuzz", text, size, &err)) {
        if (!strstr(err.text, "fuzz"))
            abort();
        return 0;
    }
    for (size_t i = 0; i < labels.rows; i++) {
        const struct gx_label_row *row = gx_labels_find(&labels, labels.row[i].file);
        if (row != &labels.row[i])
            abort();
        for (int k = 0; k < labels.columns; k++)
            if (row->value[k] > GX_LABEL_OTHER)
                abort();
        if (strlen(row->file) > 200) /* no suffix then */
            continue;
        char other[256];
        strcpy(other, row->file);
        strcat(other, ".zz");
        const struct gx_label_row *found = gx_labels_find(&labels, other);
        if (found && found != row && strcmp(found->file, other) &&
            strncmp(found->file, other, strlen(row->file)))
            abort();
    }
    for (int k = 0; k < labels.columns; k++) {
        int code = gx_labels_check(&labels, k, &err);
        if (gx_labels_column(&labels, labels.column[k].name) != k || (code && !*err.text))
            abort();
        if (gx_label_name_check(labels.column[k].name, &err) && !*err.text)
            abort();
    }
    gx_labels_clear(&labels);
    return 0;
}
