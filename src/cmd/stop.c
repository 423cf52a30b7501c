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

void gx_stop_catch(void)
{
    static const int asking[] = {SIGINT, SIGTERM};
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART}, old;
    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++)
        if (!sigaction(asking[i], NULL, &old) && old.sa_handler != SIG_IGN)
            sigaction(asking[i], &action, NULL);
}

int gx_stop_signal(void)
{
    return atomic_load(&noted);
}

void gx_stop_at_once(bool yes)
{
    atomic_store(&at_once, yes);
}
