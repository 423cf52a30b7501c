/* The registry of losses. */
#include "loss/loss.h"

#include <string.h>

static const struct gx_adversarial *const objectives[] = {
#define GX_ADVERSARIAL(name) &gx_adversarial_##name,
#include "loss/list.h"
    NULL};

static const struct gx_pixel_loss *const pixel_losses[] = {
#define GX_PIXEL(name) &gx_pixel_loss_##name,
#include "loss/list.h"
    NULL};

static bool is_called(const char *wanted, const char *name, const char *alias)
{
    return !strcmp(wanted, name) || (alias && !strcmp(wanted, alias));
}

const struct gx_adversarial *gx_adversarial_find(const char *name)
{
    for (int i = 0; objectives[i]; i++)
        if (is_called(name, objectives[i]->name, objectives[i]->alias))
            return objectives[i];
    return NULL;
}

const struct gx_adversarial *gx_adversarial_at(int i)
{
    int count = (int)(sizeof objectives / sizeof *objectives) - 1;
    return i < 0 || i >= count ? NULL : objectives[i];
}

const struct gx_pixel_loss *gx_pixel_loss_find(const char *name)
{
    for (int i = 0; pixel_losses[i]; i++)
        if (is_called(name, pixel_losses[i]->name, pixel_losses[i]->alias))
            return pixel_losses[i];
    return NULL;
}

const struct gx_pixel_loss *gx_pixel_loss_at(int i)
{
    int count = (int)(sizeof pixel_losses / sizeof *pixel_losses) - 1;
    return i < 0 || i >= count ? NULL : pixel_losses[i];
}
