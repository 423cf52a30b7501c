/* Names that a network's tensors had before they had the ones that it is known by here.
 *
 * RRDBNet (ESRGAN) has been published under three: BasicSR's, those of the ESRGAN repository, and
 * older ones that number the members of a torch.nn.Sequential:
 *   body.N.rdbK.convJ     RRDB_trunk.N.RDBK.convJ    model.1.sub.N.RDBK.convJ.0
 *   conv_first            conv_first                 model.0
 *   conv_body             trunk_conv                 model.1.sub.NB
 *   conv_up1, conv_up2    upconv1, upconv2           model.3, model.6: one for each doubling
 *   conv_hr, conv_last    HRconv, conv_last          model.M, model.M+2: the last two */
#include "weights/weights.h"

#include <stdio.h>
#include <string.h>

/* "weight" or "bias", after what sscanf took. */
static bool is_end(const char *name, int length)
{
    return length && (!strcmp(name + length, "weight") || !strcmp(name + length, "bias"));
}

static void set(struct gx_weights *w, struct gx_tensor_record *t, const char *stem, int length)
{
    t->info.name = gx_arena_format(&w->arena, "%s.%s", stem, t->info.name + length);
}

/* A convolution in a dense block; `format` takes N, K, J and the length. */
static bool dense(struct gx_weights *w, struct gx_tensor_record *t, const char *name,
                  const char *format)
{
    unsigned n = 0, k = 0, j = 0;
    int length = 0;
    char stem[64];
    sscanf(name, format, &n, &k, &j, &length);
    if (!is_end(name, length))
        return false;
    snprintf(stem, sizeof stem, "body.%u.rdb%u.conv%u", n, k, j);
    set(w, t, stem, length);
    return true;
}

static const char dense_in_repository[] = "RRDB_trunk.%5u.RDB%1u.conv%1u.%n";
static const char dense_in_sequence[] = "model.1.sub.%5u.RDB%1u.conv%1u.0.%n";

static void rename_from_repository(struct gx_weights *w, struct gx_tensor_record *t)
{
    static const char *const pairs[][2] = {{"trunk_conv.", "conv_body"},
                                           {"upconv1.", "conv_up1"},
                                           {"upconv2.", "conv_up2"},
                                           {"upconv3.", "conv_up3"},
                                           {"HRconv.", "conv_hr"}};
    if (dense(w, t, t->info.name, dense_in_repository))
        return;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (!strncmp(t->info.name, pairs[i][0], strlen(pairs[i][0])))
            set(w, t, pairs[i][1], (int)strlen(pairs[i][0]));
}

/* The number of a member of the sequence that is a convolution, or -1. */
static int member(const char *name, int *length)
{
    unsigned number = 0;
    *length = 0;
    sscanf(name, "model.%5u.%n", &number, length);
    return is_end(name, *length) ? (int)number : -1;
}

static void rename_from_sequence(struct gx_weights *w, struct gx_tensor_record *t, int last)
{
    unsigned number = 0;
    int length = 0;
    char stem[24];
    if (dense(w, t, t->info.name, dense_in_sequence))
        return;
    sscanf(t->info.name, "model.1.sub.%5u.%n", &number, &length);
    if (is_end(t->info.name, length)) {
        set(w, t, "conv_body", length);
        return;
    }
    int at = member(t->info.name, &length);
    if (at < 0)
        return;
    snprintf(stem, sizeof stem, "conv_up%d", at / 3);
    set(w, t,
        at == 0          ? "conv_first"
        : at == last     ? "conv_last"
        : at == last - 2 ? "conv_hr"
                         : stem,
        length);
}

void gx_weights_rename(struct gx_weights *w)
{
    bool repository = false, sequence = false;
    int last = 0;
    for (int i = 0; i < w->count; i++) {
        const char *name = w->tensor[i].info.name;
        int length, at = member(name, &length);
        last = at > last ? at : last;
        repository = repository || !strncmp(name, "RRDB_trunk.0.RDB1.", 18);
        sequence = sequence || !strncmp(name, "model.1.sub.0.RDB1.", 19);
    }
    for (int i = 0; i < w->count; i++)
        if (repository)
            rename_from_repository(w, &w->tensor[i]);
        else if (sequence)
            rename_from_sequence(w, &w->tensor[i], last);
}
