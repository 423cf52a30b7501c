/* metrics.jsonl, read back as curves: one series per loss, validation figure, and the rate. */
#ifndef GX_TRAIN_METRICS_H
#define GX_TRAIN_METRICS_H

#include "ganx/error.h"

#include <stdint.h>

enum gx_curve_kind {
    GX_CURVE_ADVERSARIAL, /* loss: G_GAN, D_real, D_A ... */
    GX_CURVE_PIXEL,       /* loss: G_L1, cycle_A, idt_A, G_rec, G_pix, G_perc, G_style */
    GX_CURVE_CLASS,       /* loss: D_cls, G_cls */
    GX_CURVE_MEASURE,     /* measure: D_acc */
    GX_CURVE_VALIDATION,  /* val: l1, psnr, ssim ... */
    GX_CURVE_RATE,        /* lr */
    GX_CURVE_SHARE,       /* health: separation, diversity, luma: about 0 to 1 */
    GX_CURVE_GRADIENT     /* health: gradient */
};

struct gx_curve {
    char *name;
    enum gx_curve_kind kind;
    double *step, *value; /* finite, in the file's order */
    int count;
};

/* A change of health: from this step on, `state` says what is amiss, or "ok". */
struct gx_spell {
    double step;
    char *watch, *state; /* "" or "A"; "mode collapse" */
};

struct gx_metrics {
    struct gx_curve *curve;
    int count;
    struct gx_spell *spell; /* in the file's order; the first "ok" of a watch is left out */
    int spells;
    int64_t steps, epochs; /* the last step; epochs begun */
    double seconds;        /* of training, from s_per_step */
};

/* Reads the file line by line; lines that are no JSON object with a step are passed over. A missing
 * file gives no curves. */
GX_MUST_CHECK int gx_metrics_read(struct gx_metrics *metrics, const char *path, struct gx_err *err);
void gx_metrics_clear(struct gx_metrics *metrics);

#endif
