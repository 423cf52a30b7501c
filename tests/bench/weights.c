/* weights FILE NETWORK [SIZE=NUMBER]...: a model file of that network with random weights. */
#include "ganx/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int choose(struct gx_network_spec *spec, int argc, char **argv, struct gx_err *err)
{
    int code = gx_spec_from_name(spec, argv[2], err);
    for (int i = 3; i < argc && !code; i++) {
        char *equals = strchr(argv[i], '=');
        if (!equals)
            return gx_fail(err, GX_E_USAGE, "'%s' is not SIZE=NUMBER", argv[i]);
        *equals = '\0';
        code = gx_spec_set(spec, argv[i], atoi(equals + 1), err);
    }
    return code;
}

static int write_all(const struct gx_params *params, const char *path, struct gx_err *err)
{
    struct gx_entries rows = {0};
    struct gx_weights_writer *writer = NULL;
    gx_params_entries(&rows, params, GX_PARTS_ALL, "", GX_F32);
    int code = gx_weights_write_begin(&writer, path, rows.row, rows.count, NULL, 0, err);
    if (!code)
        code = gx_params_write(params, GX_PARTS_ALL, params->data, writer, err);
    if (!code)
        code = gx_weights_write_commit(&writer, err);
    else if (writer)
        gx_weights_write_abort(&writer);
    gx_entries_clear(&rows);
    return code;
}

int main(int argc, char **argv)
{
    struct gx_network_spec spec;
    struct gx_params params;
    struct gx_err err;
    if (argc < 3) {
        fprintf(stderr, "weights FILE NETWORK [SIZE=NUMBER]...\n");
        return 2;
    }
    gx_params_init(&params);
    int code = choose(&spec, argc, argv, &err);
    if (!code)
        code = gx_network_declare(&spec, &params, &err);
    if (!code)
        code = gx_params_allocate(&params, &err);
    if (!code) {
        gx_params_initialise(&params, GX_INIT_NORMAL, 0.02, 0, spec.network->name);
        code = write_all(&params, argv[1], &err);
    }
    if (code)
        fprintf(stderr, "weights: %s\n", err.text);
    gx_params_clear(&params);
    return code ? 1 : 0;
}
