/* Values that leave 0..1. */
#ifndef GX_IMAGE_CLIP_H
#define GX_IMAGE_CLIP_H

/* The nearest value in 0..1; NaN becomes 0. */
static inline float gx_clip(float v)
{
    float above = v > 0 ? v : 0;
    return above < 1 ? above : 1;
}

#endif
