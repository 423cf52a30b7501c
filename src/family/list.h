/* Every family of networks: a row each. */
GX_FAMILY(pix2pix)
GX_FAMILY(cycle)
GX_FAMILY(star)
GX_FAMILY(sr)
