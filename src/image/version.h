/* Which libvips: apart from the rest, for `ganx version` starts nothing. */
#ifndef GX_IMAGE_VERSION_H
#define GX_IMAGE_VERSION_H

/* The version of libvips that is loaded: "8.14.1". Safe before anything else of libvips. */
const char *gx_image_library_version(void);

#endif
