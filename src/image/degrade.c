#include "image/degrade.h"

#include "ganx/image.h"

#include <math.h>

/* Half the width of MATLAB's widened cubic, and what rounding the cut to multiples takes. */
int gx_degrade_margin(const struct gx_degradation *d, int scale)
{
    (void)d;
    return 3 * scale;
}

static void finish(const struct gx_degradation *d, float *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float v = to[i] > 0 ? to[i] < 1 ? to[i] : 1 : 0;
        to[i] = d->eight_bit ? rintf(v * 255) / 255 : v;
    }
}

int gx_degrade(const struct gx_degradation *d, const float *from, int h, int w, int c, int scale,
               const struct gx_chance *chance, float *to, struct gx_err *err)
{
    (void)chance;
    int code = gx_imresize(from, h, w, c, 1.0 / scale, to, err);
    finish(d, to, (size_t)(h / scale) * (w / scale) * c);
    return code;
}
