#include "plan/program.h"

#include "util/arena.h"

#include <string.h>

void gx_program_insert(struct gx_program *program, int at, struct gx_node *node)
{
    if (program->count == program->capacity) {
        program->capacity = 2 * program->capacity + 64;
        program->node = gx_grow(program->node, (size_t)program->capacity * sizeof *program->node);
    }
    memmove(program->node + at + 1, program->node + at,
            (size_t)(program->count - at) * sizeof *program->node);
    program->node[at] = node;
    program->count++;
}
