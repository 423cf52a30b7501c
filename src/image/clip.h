/* Values that leave 0..1. */
#ifndef GX_IMAGE_CLIP_H
#define GX_IMAGE_CLIP_H

/* The nearest value in 0..1; NaN becomes 0. */
static inline float gx_clip(float v)
{
    return v > 0 ? v < 1 ? v : 1 : 0;
}

#endif
