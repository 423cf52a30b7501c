/* Aligned sets, as pix2pix learns from: pairs side by side in one file, or A/ and B/ paired by name,
 * in PATH/train/ or in PATH itself. */
#include "ganx/image.h"
#include "image/layout.h"
#include "util/file.h"

#include <string.h>

struct pairs {
    struct gx_split split;
    const char *folder;
    bool halves;      /* side by side in one file */
    const char *left; /* names without a partner, for the user; "" if none */
};

static void split_reserve(struct gx_dataset *set, struct gx_split *split, size_t count)
{
    for (int k = 0; k < 2; k++)
        split->view[k] = gx_arena_alloc(&set->arena, count * sizeof *split->view[k]);
}

static void split_add(struct gx_split *split, struct gx_view a, struct gx_view b)
{
    split->view[0][split->count[0]++] = a;
    split->view[1][split->count[1]++] = b;
}

static int pair_by_name(struct gx_dataset *set, struct pairs *pairs, struct gx_err *err)
{
    struct gx_pictures a, b;
    int result = gx_layout_list(set, gx_layout_join(set, pairs->folder, "A"), &a, err);
    if (!result)
        result = gx_layout_list(set, gx_layout_join(set, pairs->folder, "B"), &b, err);
    if (!result)
        result = gx_layout_refuse_twins(&a, err);
    if (!result)
        result = gx_layout_refuse_twins(&b, err);
    if (result)
        return result;
    split_reserve(set, &pairs->split, a.count < b.count ? a.count : b.count);
    struct gx_named alone = {0};
    for (size_t i = 0, k = 0; i < a.count || k < b.count;) {
        int order = i == a.count ? 1 : k == b.count ? -1 : strcmp(a.stem[i], b.stem[k]);
        if (order == 0)
            split_add(&pairs->split, (struct gx_view){a.path[i++], GX_WHOLE},
                      (struct gx_view){b.path[k++], GX_WHOLE});
        else
            gx_layout_name(set, &alone, order < 0 ? a.path[i++] : b.path[k++]);
    }
    pairs->left = gx_layout_names(set, &alone);
    if (alone.count && !pairs->split.count[0])
        return gx_fail(err, GX_E_CONFIG,
                       "no picture in '%s/A' has a partner of the same name in '%s/B': %s",
                       pairs->folder, pairs->folder, pairs->left);
    return 0;
}

static int check_half(const char *path, struct gx_err *err)
{
    struct gx_picture *picture;
    int result = gx_picture_open(&picture, path, NULL, err);
    if (result)
        return -GX_E_CONFIG; /* a file of the data set, whatever is wrong with it */
    const struct gx_facts *facts = gx_picture_facts(picture);
    if (facts->width % 2)
        result =
            gx_fail(err, GX_E_CONFIG,
                    "'%s' is %dx%d: a side-by-side pair, A left and B right, has an even width",
                    path, facts->width, facts->height);
    gx_picture_free(&picture);
    return result;
}

static int pair_by_halves(struct gx_dataset *set, struct pairs *pairs, struct gx_err *err)
{
    struct gx_pictures all;
    int result = gx_layout_list(set, pairs->folder, &all, err);
    if (result)
        return result;
    pairs->halves = true;
    split_reserve(set, &pairs->split, all.count);
    for (size_t i = 0; i < all.count && !result; i++) {
        result = check_half(all.path[i], err);
        split_add(&pairs->split, (struct gx_view){all.path[i], GX_LEFT},
                  (struct gx_view){all.path[i], GX_RIGHT});
    }
    return result;
}

/* The pairs of one folder, of either kind; none is not an error. */
static int find_in(struct gx_dataset *set, const char *folder, struct pairs *pairs,
                   struct gx_err *err)
{
    *pairs = (struct pairs){.folder = folder, .left = ""};
    if (!gx_is_folder(folder))
        return 0;
    bool a = gx_layout_has(set, folder, "A"), b = gx_layout_has(set, folder, "B");
    if (a && b)
        return pair_by_name(set, pairs, err);
    if (a || b)
        return gx_fail(err, GX_E_CONFIG, "'%s' has %s/ but no %s/ to pair it with", folder,
                       a ? "A" : "B", a ? "B" : "A");
    return pair_by_halves(set, pairs, err);
}

/* ... as gx_layout_find_held asks. */
static int find_more(struct gx_dataset *set, const char *folder, void *into, size_t *count,
                     struct gx_err *err)
{
    struct pairs *pairs = into;
    int code = find_in(set, folder, pairs, err);
    *count = pairs->split.count[0];
    return code;
}

static int find_held(struct gx_dataset *set, const struct pairs *train, int holdout,
                     struct gx_err *err)
{
    struct pairs held = {.left = ""};
    const char *folder;
    int code = gx_layout_find_held(set, find_more, &held, &folder, err);
    if (code)
        return code;
    size_t count = train->split.count[0];
    if (folder)
        set->held = held.split;
    else
        gx_layout_hold_out(set, holdout);
    const char *said =
        gx_arena_format(&set->arena, "%zu %s in '%s', %s", count,
                        train->halves ? "side-by-side pairs" : "pairs by name (A/ and B/)",
                        train->folder, gx_layout_said_held(set, folder, holdout, "pair"));
    if (*train->left || *held.left)
        said = gx_arena_format(&set->arena, "%s; without a partner and left out: %s%s%s", said,
                               train->left, *train->left && *held.left ? ", " : "", held.left);
    set->said = said;
    return 0;
}

int gx_find_pairs(struct gx_dataset *set, const struct gx_dataset_options *options,
                  struct gx_err *err)
{
    const char *path = set->path, *expected = set->layout->expected;
    bool train = gx_layout_has(set, path, "train");
    const char *base = train ? gx_layout_join(set, path, "train") : path;
    struct pairs pairs;
    if (!train && gx_layout_has(set, path, "trainA") && gx_layout_has(set, path, "trainB"))
        return gx_fail(err, GX_E_CONFIG,
                       "'%s' has trainA/ and trainB/: that is an unpaired set, for ganx cycle; %s",
                       path, expected);
    int result = find_in(set, base, &pairs, err);
    if (result)
        return result;
    if (!pairs.split.count[0] && train && gx_layout_has_domains(set, base))
        return gx_fail(err, GX_E_CONFIG,
                       "'%s' has one folder of pictures a domain: that is a set for ganx star; %s",
                       base, expected);
    if (!pairs.split.count[0])
        return gx_fail(err, GX_E_CONFIG, "found no pairs in '%s' (it has %s); %s", base,
                       gx_layout_describe(set, base), expected);
    set->train = pairs.split;
    return find_held(set, &pairs, options->holdout, err);
}
