#include "image/version.h"

#include <vips/vips.h>

const char *gx_image_library_version(void)
{
    return vips_version_string();
}
