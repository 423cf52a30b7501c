/* Where models lie: files, runs' folders, and the folders of installed models.
 *
 * Installed models are NAME.safetensors, in the order of the folders:
 *   each of $GANX_MODELS               several are separated by colons
 *   models                             where the program is run
 *   $XDG_DATA_HOME/ganx/models         ~/.local/share/ganx/models where that is not set
 *   ../models, ../share/ganx/models    seen from the program: its source, its installation
 *   PREFIX/share/ganx/models           of `make install`
 * FAMILY.safetensors is the family's default model; where sr has none it is realesr-general-x4v3. */
#ifndef GX_MODEL_FIND_H
#define GX_MODEL_FIND_H

#include "ganx/error.h"
#include "util/arena.h"

/* What people call a model, as a file's path to free: a weight file; the folder of a run (its
 * model.safetensors, else the checkpoint that `best` or `latest` points to); a word without a slash
 * that is neither, and is an installed model with or without its suffix. What is not there is given
 * back as it is: opening it says why. -GX_E_IO: a folder without a model, or no such model. */
GX_MUST_CHECK int gx_model_find(const char *path, char **file, struct gx_err *err);

/* The installed model of that name ("pix2pix", "sr": a family's default), as a path to free.
 * -GX_E_IO. */
GX_MUST_CHECK int gx_model_installed(const char *name, char **file, struct gx_err *err);

/* The folders, whether they exist or not, in the arena; NULL at the end. */
const char *const *gx_model_folders(struct gx_arena *arena);
/* That one of them which belongs to the user, in the arena; NULL where there is no home. */
const char *gx_model_own_folder(struct gx_arena *arena);

#endif
