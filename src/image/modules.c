/* Starting libvips without its modules, and loading them.
 *
 * A module is a shared library with the loaders of one format (HEIF, JPEG XL, PDF, ...), which brings
 * scores of other libraries. vips_init loads all of them, and that takes ten times as long as all
 * else that it does; but none reads a format that is on unless it is asked for. So vips_init is made
 * to look for them where there are none. */
#include "image/image.h"

#include <dlfcn.h>
#include <string.h>

/* libvips' own variable: the folder above lib/, where the modules are. Who sets it gets its way. */
static const char home[] = "VIPSHOME";

/* Shared libraries stay loaded, as vips_init leaves them; what cannot be is no loader. */
static void open_all(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        char *path = g_build_filename(folder, name, NULL);
        GModule *module = g_module_open(path, G_MODULE_BIND_LAZY);
        if (module)
            g_module_make_resident(module);
        g_free(path);
    }
    if (dir)
        g_dir_close(dir);
}

int gx_vips_start(bool *modules)
{
    bool own = g_getenv(home);
    if (!own)
        g_setenv(home, "/dev/null", TRUE);
    int failed = VIPS_INIT("ganx");
    if (!own)
        g_unsetenv(home);
    *modules = own && !failed;
    return failed;
}

void gx_vips_load_modules(void)
{
    Dl_info libvips;
    if (!dladdr((const void *)vips_init, &libvips) || !libvips.dli_fname)
        return;
    char *folder = g_path_get_dirname(libvips.dli_fname);
    char *modules =
        g_strdup_printf("%s/vips-modules-%d.%d", folder, vips_version(0), vips_version(1));
    open_all(modules);
    g_free(modules);
    g_free(folder);
}
