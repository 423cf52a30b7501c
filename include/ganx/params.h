/* Parameters: the named weights and statistics of one network.
 *
 * They lie in one block: first everything that is trained, in the order of declaration, then the
 * statistics. Gradients and optimizer moments have the same order over the trained part, so that an
 * optimizer step, a gradient norm or an all-reduce is one sweep over contiguous memory.
 *
 * In memory convolution weights are (kh, kw, in, out); on disk they keep PyTorch's order and names
 * (OIHW, transposed ones IOHW), see gx_param_dims. */
#ifndef GANX_PARAMS_H
#define GANX_PARAMS_H

#include "ganx/dtype.h"
#include "ganx/graph.h"

enum gx_param_kind {
    GX_PARAM_CONV,            /* (kh,kw,i,o) in memory, (o,i,kh,kw) on disk */
    GX_PARAM_CONV_TRANSPOSED, /* the same with i = out, o = in: torch's (in,out,kh,kw) on disk */
    GX_PARAM_LINEAR,          /* (1,1,o,i); (o,i) on disk */
    GX_PARAM_BIAS,            /* (1,1,1,c); (c) on disk, and so below */
    GX_PARAM_NORM_WEIGHT,
    GX_PARAM_NORM_BIAS,
    GX_PARAM_SLOPE,        /* PReLU */
    GX_PARAM_RUNNING_MEAN, /* statistics: not trained, updated by gx_update_average */
    GX_PARAM_RUNNING_VAR,
    GX_PARAM_STATE /* other untrained values (spectral norm's u and v) */
};

struct gx_param {
    char *name; /* the reference state_dict's key, without a network prefix */
    enum gx_param_kind kind;
    struct gx_shape shape;
    int64_t offset;      /* in floats, in gx_params.data; and .grad when trained */
    float *data;         /* NULL until gx_params_allocate; see dtype */
    float *grad;         /* NULL until gx_params_allocate_gradients, and for statistics */
    bool fine;           /* pictures that meet it keep 16 digits, see gx_params_halve */
    bool terms;          /* float32 weights whose products may be of terms, the same */
    enum gx_dtype dtype; /* GX_F32; GX_F16, GX_BF16: `data` holds numbers of 16 bits instead */
    int panel;           /* 0, or how `data` lies, see gx_params_panels */
    bool small;          /* of a residual branch: initialisation "sr" starts it near zero */
};

static inline bool gx_param_is_conv(const struct gx_param *p)
{
    return p->kind == GX_PARAM_CONV || p->kind == GX_PARAM_CONV_TRANSPOSED;
}

static inline bool gx_param_trained(const struct gx_param *p)
{
    return p->kind < GX_PARAM_RUNNING_MEAN;
}

struct gx_params {
    struct gx_param **param; /* in order of declaration */
    int count;
    int64_t trained, total; /* floats, valid after gx_params_layout; padding included */
    float *data, *grad;
};

void gx_params_init(struct gx_params *params);
void gx_params_clear(struct gx_params *params);

/* The parameter of that name, made if it is new; with another shape or kind: NULL (a network that
 * contradicts itself; gx_parameter turns NULL into a graph error). */
struct gx_param *gx_params_declare(struct gx_params *params, const char *name,
                                   enum gx_param_kind kind, struct gx_shape shape);
struct gx_param *gx_params_find(const struct gx_params *params, const char *name);

/* Assigns offsets (each tensor starts on 64 bytes); called by the allocators, and by a dry run. */
void gx_params_layout(struct gx_params *params);
GX_MUST_CHECK int gx_params_allocate(struct gx_params *params, struct gx_err *err);
GX_MUST_CHECK int gx_params_allocate_gradients(struct gx_params *params, struct gx_err *err);

/* Makes weights of convolutions GX_F16 or GX_BF16: for inference, where they take half the memory,
 * and half the time to be read. Those that read or write fewer than GX_HALF_LEAST channels, the
 * first and the last ones of most networks, stay float32: they are small, and what they round off
 * shows most. Before gx_params_allocate, or after it, when the weights are rounded (-GX_E_NOMEM).
 *
 * Where products of bfloat16 numbers are faster, pictures that meet such weights are rounded too; in
 * a network with more than GX_HALF_SHALLOW of them, whose errors add up, to 16 digits instead of 8.
 * Pictures of few channels and their weights are both two terms there, of 16 digits. */
enum { GX_HALF_LEAST = 16, GX_HALF_SHALLOW = 15 };
GX_MUST_CHECK int gx_params_halve(struct gx_params *params, enum gx_dtype dtype,
                                  struct gx_err *err);

/* Has the float32 weights of convolutions lie in memory as kernels of that width read them fastest
 * (gx_conv_sizes.panel; 0: as ever): for inference, before they are loaded. Narrow ones, of fewer
 * than GX_PANEL_LEAST channels in or not a multiple of the width out, stay as they are; all do where
 * some have a state, since spectral norm reads them as matrices. */
enum { GX_PANEL_LEAST = 32 };
void gx_params_panels(struct gx_params *params, int width);

/* Sizes on disk, in PyTorch's order; gives the rank (1, 2 or 4). */
int gx_param_dims(const struct gx_param *param, int64_t dims[4]);
/* Copies between the disk's order and memory's; both hold gx_count(param->shape) floats, or numbers
 * of 16 bits where rows from the disk are for such a parameter. */
void gx_param_from_disk(const struct gx_param *param, const float *disk, float *memory);
/* Not of panels. */
void gx_param_to_disk(const struct gx_param *param, const float *memory, float *disk);
/* The first copy for some rows of the disk's first dimension; `disk` holds these rows alone. */
void gx_param_rows_from_disk(const struct gx_param *param, int64_t first, int64_t rows,
                             const void *disk, void *memory);

#endif
