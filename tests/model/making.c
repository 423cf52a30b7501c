#include "making.h"

#include "ganx/model.h"

#include "../scratch.h"
#include "../test.h"

#include "ganx/image.h"
#include "ganx/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char made[256];

int make_folder(void **state)
{
    (void)state;
    return scratch_make(made, sizeof made) || gx_image_start(NULL, 1, NULL);
}

int remove_folder(void **state)
{
    (void)state;
    return scratch_remove(made);
}

const char *make_model(const char *folder, const char *name, const struct recipe *recipe)
{
    static char path[512];
    struct gx_network_spec spec;
    struct gx_params params;
    struct gx_entries rows = {0};
    struct gx_weights_writer *writer;
    struct gx_err err = {""};
    assert_int_equal(gx_spec_from_name(&spec, recipe->network, &err), 0);
    for (const char *p = recipe->sizes; *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ',')) {
        char key[32];
        int value;
        assert_int_equal(sscanf(p, "%31[^=]=%d", key, &value), 2);
        assert_int_equal(gx_spec_set(&spec, key, value, &err), 0);
    }
    gx_params_init(&params);
    assert_int_equal(gx_network_declare(&spec, &params, &err), 0);
    assert_int_equal(gx_params_allocate(&params, &err), 0);
    gx_params_initialise(&params, GX_INIT_NORMAL, recipe->gain > 0 ? recipe->gain : 0.2, 1, "G");
    char *json = gx_spec_to_json(&spec);
    const struct gx_text_pair texts[] = {{"ganx.network", json},
                                         {recipe->key, recipe->value},
                                         {recipe->more_key, recipe->more_value}};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    gx_params_entries(&rows, &params, GX_PARTS_ALL, "", GX_F32);
    assert_int_equal(gx_weights_write_begin(&writer, path, rows.row, rows.count, texts,
                                            1 + !!recipe->key + !!recipe->more_key, &err),
                     0);
    assert_int_equal(gx_params_write(&params, GX_PARTS_ALL, params.data, writer, &err), 0);
    assert_int_equal(gx_weights_write_commit(&writer, &err), 0);
    gx_entries_clear(&rows);
    gx_params_clear(&params);
    free(json);
    return path;
}

struct gx_model *open_model(const char *path, const struct gx_model_settings *settings)
{
    struct gx_model *model;
    struct gx_err err;
    if (gx_model_open(&model, path, settings, &err))
        fail_msg("%s: %s", path, err.text);
    return model;
}

const char *refused(const char *path, const struct gx_model_settings *settings, int code)
{
    static struct gx_err err;
    struct gx_model *model;
    assert_int_equal(gx_model_open(&model, path, settings, &err), code);
    assert_null(model);
    return err.text;
}
