#include "model/find.h"

#include "util/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char suffix[] = ".safetensors";

/* Families whose default is a published model, which keeps its name. */
static const struct {
    const char *family, *model;
} defaults[] = {{"sr", "realesr-general-x4v3"}};

/* ---- the folders ---- */

struct list {
    const char **item;
    size_t count;
    struct gx_arena *arena;
};

static void add(struct list *list, const char *folder)
{
    const char **longer =
        gx_arena_alloc(list->arena, (list->count + 2) * sizeof *longer); /* few: no need to grow */
    for (size_t i = 0; i < list->count; i++)
        longer[i] = list->item[i];
    longer[list->count++] = folder;
    list->item = longer;
}

static void add_each(struct list *list, const char *folders)
{
    while (*folders) {
        int length = (int)strcspn(folders, ":");
        if (length)
            add(list, gx_arena_format(list->arena, "%.*s", length, folders));
        folders += length + (folders[length] == ':');
    }
}

const char *gx_model_own_folder(struct gx_arena *arena)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (data && *data == '/') /* others are to be ignored */
        return gx_arena_format(arena, "%s/ganx/models", data);
    return home && *home ? gx_arena_format(arena, "%s/.local/share/ganx/models", home) : NULL;
}

/* The folder above that of the program; NULL where that cannot be known. */
static const char *above_program(struct gx_arena *arena)
{
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    if (size <= 0)
        return NULL;
    path[size] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(path, '/');
        if (!slash)
            return NULL;
        *slash = '\0';
    }
    return gx_arena_text(arena, path);
}

const char *const *gx_model_folders(struct gx_arena *arena)
{
    struct list list = {.arena = arena};
    const char *asked = getenv("GANX_MODELS"), *own = gx_model_own_folder(arena);
    const char *above = above_program(arena);
    add_each(&list, asked ? asked : "");
    add(&list, "models");
    if (own)
        add(&list, own);
    if (above) {
        add(&list, gx_arena_format(arena, "%s/models", above));
        add(&list, gx_arena_format(arena, "%s/share/ganx/models", above));
    }
    add(&list, GX_PREFIX "/share/ganx/models");
    return list.item;
}

/* ---- finding ---- */

static bool has_suffix(const char *name)
{
    size_t length = strlen(name), end = sizeof suffix - 1;
    return length > end && !strcmp(name + length - end, suffix);
}

/* The first file of that name in the folders, as a path to free, or NULL. */
static char *find_installed(const char *name)
{
    struct gx_arena arena = {0};
    const char *const *folder = gx_model_folders(&arena);
    char *file = NULL;
    for (; *folder && !file; folder++) {
        const char *path =
            gx_arena_format(&arena, "%s/%s%s", *folder, name, has_suffix(name) ? "" : suffix);
        if (gx_is_file(path))
            file = gx_new_text(path);
    }
    gx_arena_clear(&arena);
    return file;
}

int gx_model_installed(const char *name, char **file, struct gx_err *err)
{
    *file = find_installed(name);
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults && !*file; i++)
        if (!strcmp(name, defaults[i].family))
            *file = find_installed(defaults[i].model);
    return *file ? 0 : gx_fail(err, GX_E_IO, "no model '%s' is installed", name);
}

static int find_in_run(const char *folder, char **file, struct gx_err *err)
{
    static const char *const names[] = {"model.safetensors", "best", "latest"};
    struct gx_arena arena = {0};
    *file = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !*file; i++) {
        const char *path = gx_arena_format(&arena, "%s/%s", folder, names[i]);
        if (gx_is_file(path))
            *file = gx_new_text(path);
    }
    gx_arena_clear(&arena);
    if (*file)
        return 0;
    return gx_fail(err, GX_E_IO,
                   "cannot load '%s': the folder holds no model.safetensors, best or latest",
                   folder);
}

int gx_model_find(const char *path, char **file, struct gx_err *err)
{
    struct stat st;
    if (gx_is_folder(path))
        return find_in_run(path, file, err);
    if (!strchr(path, '/') && *path && stat(path, &st)) {
        if (!gx_model_installed(path, file, NULL))
            return 0;
        if (!strchr(path, '.')) /* a name, not a file's */
            return gx_fail(err, GX_E_IO,
                           "no model '%s': no such file, and none of that name is installed "
                           "(ganx info --models lists what is, and the manual says where)",
                           path);
    }
    *file = gx_new_text(path);
    return 0;
}
