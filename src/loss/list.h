/* Every loss: a row each. Define GX_ADVERSARIAL or GX_PIXEL (or both) before including. */
#ifndef GX_ADVERSARIAL
#define GX_ADVERSARIAL(name)
#endif
#ifndef GX_PIXEL
#define GX_PIXEL(name)
#endif

GX_ADVERSARIAL(non_saturating)
GX_ADVERSARIAL(minimax)
GX_ADVERSARIAL(max_likelihood)
GX_ADVERSARIAL(lsgan)
GX_ADVERSARIAL(hinge)
GX_ADVERSARIAL(wgan)
GX_ADVERSARIAL(wgan_gp)
GX_ADVERSARIAL(relativistic)
GX_ADVERSARIAL(relativistic_average)
GX_ADVERSARIAL(relativistic_average_esrgan)
GX_ADVERSARIAL(relativistic_average_lsgan)
GX_ADVERSARIAL(relativistic_average_hinge)
GX_ADVERSARIAL(f_kl)
GX_ADVERSARIAL(f_kl_ns)
GX_ADVERSARIAL(f_reverse_kl)
GX_ADVERSARIAL(f_reverse_kl_ns)
GX_ADVERSARIAL(f_pearson)
GX_ADVERSARIAL(f_pearson_ns)
GX_ADVERSARIAL(f_hellinger)
GX_ADVERSARIAL(f_hellinger_ns)
GX_ADVERSARIAL(f_jensen_shannon)
GX_ADVERSARIAL(f_jensen_shannon_ns)
GX_ADVERSARIAL(f_total_variation)
GX_ADVERSARIAL(f_total_variation_ns)
GX_ADVERSARIAL(f_gan)
GX_ADVERSARIAL(f_gan_ns)

GX_PIXEL(l1)
GX_PIXEL(l2)
GX_PIXEL(smooth_l1)
GX_PIXEL(charbonnier)

#undef GX_ADVERSARIAL
#undef GX_PIXEL
