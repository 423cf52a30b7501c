#include "op/walk.h"

static void dims_of(struct gx_shape s, int64_t d[4])
{
    d[0] = s.n;
    d[1] = s.h;
    d[2] = s.w;
    d[3] = s.c;
}

/* Element strides of an operand over y's dimensions; 0 where it is repeated. */
static void strides_of(struct gx_shape operand, struct gx_shape y, int64_t stride[4])
{
    int64_t have[4], want[4], step = 1;
    dims_of(operand, have);
    dims_of(y, want);
    for (int i = 3; i >= 0; i--) {
        stride[i] = have[i] == want[i] ? step : 0;
        step *= have[i];
    }
}

struct gx_walks gx_walks_of(struct gx_shape y, struct gx_shape a, struct gx_shape b)
{
    int64_t size[4], sa[4], sb[4];
    dims_of(y, size);
    strides_of(a, y, sa);
    strides_of(b, y, sb);

    /* From the innermost out: a dimension joins the one inside it when both operands step on as if
     * the two were one; dimensions of 1 vanish. Slot 3 is the innermost. */
    int64_t merged[4] = {1, 1, 1, 1}, ma[4] = {0}, mb[4] = {0};
    int slot = 4;
    for (int i = 3; i >= 0; i--) {
        if (size[i] == 1)
            continue;
        if (slot < 4 && sa[i] == ma[slot] * merged[slot] && sb[i] == mb[slot] * merged[slot]) {
            merged[slot] *= size[i];
            continue;
        }
        slot--;
        merged[slot] = size[i];
        ma[slot] = sa[i];
        mb[slot] = sb[i];
    }
    return (struct gx_walks){.times = merged[0],
                             .outer = merged[1],
                             .rows = merged[2],
                             .cols = merged[3],
                             .jump = {ma[0], mb[0]},
                             .walk = {{ma[1], ma[2], ma[3]}, {mb[1], mb[2], mb[3]}}};
}
