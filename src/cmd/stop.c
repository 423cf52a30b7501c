#include "cmd/stop.h"

#include "cmd/cmd.h"
#include "util/file.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* A handler can reach nothing but what is global. */
static atomic_int noted, at_once;

static void note(int number)
{
    if (atomic_exchange(&noted, number) || atomic_load(&at_once)) {
        gx_staged_remove_all();
        _exit(GX_EXIT_SIGNAL + number);
    }
}

/* Even where they were ignored, as a shell does with SIGINT for what it runs in the background: who
 * sends one to this process means it. */
void gx_stop_catch(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int gx_stop_signal(void)
{
    return atomic_load(&noted);
}

void gx_stop_at_once(bool yes)
{
    atomic_store(&at_once, yes);
}
