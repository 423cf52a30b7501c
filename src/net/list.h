/* Every network: a row each. A file is tried against them in this order. */
GX_NETWORK(unet)
GX_NETWORK(resnet)
GX_NETWORK(patchgan)
GX_NETWORK(pixel)
GX_NETWORK(star_generator)
GX_NETWORK(star_discriminator)
GX_NETWORK(unet_discriminator_sn)
