/* Signals that ask a long command to stop: the first is noted, and the command ends when what it is
 * at is whole; the second ends the program at once. Either way no temporary file stays. */
#ifndef GX_CMD_STOP_H
#define GX_CMD_STOP_H

#include <stdbool.h>

/* From now on SIGINT and SIGTERM are noted. */
void gx_stop_catch(void);
/* The number of the signal that came, or 0. */
int gx_stop_signal(void);
/* While true the first signal ends the program too: there is nothing to make whole, and the command
 * may wait for ever (for standard input). */
void gx_stop_at_once(bool at_once);

#endif
