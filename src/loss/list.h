/* Every loss: a row each. Define GX_ADVERSARIAL or GX_PIXEL (or both) before including. */
#ifndef GX_ADVERSARIAL
#define GX_ADVERSARIAL(name)
#endif
#ifndef GX_PIXEL
#define GX_PIXEL(name)
#endif

GX_ADVERSARIAL(non_saturating)
GX_ADVERSARIAL(lsgan)
GX_ADVERSARIAL(hinge)
GX_ADVERSARIAL(wgan)
GX_ADVERSARIAL(wgan_gp)

GX_PIXEL(l1)
GX_PIXEL(l2)
GX_PIXEL(smooth_l1)

#undef GX_ADVERSARIAL
#undef GX_PIXEL
