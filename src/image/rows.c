/* A queue of rows between the two threads of a stream: a ring under a lock. */
#include "image/image.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct gx_rows {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    size_t bytes;
    int room, first, held;
    bool stopped;
    unsigned char data[];
};

struct gx_rows *gx_rows_new(size_t bytes, int room)
{
    struct gx_rows *rows = malloc(sizeof *rows + bytes * (size_t)room);
    if (!rows)
        return NULL;
    *rows = (struct gx_rows){.bytes = bytes, .room = room};
    pthread_mutex_init(&rows->lock, NULL);
    pthread_cond_init(&rows->moved, NULL);
    return rows;
}

void gx_rows_free(struct gx_rows *rows)
{
    if (!rows)
        return;
    pthread_mutex_destroy(&rows->lock);
    pthread_cond_destroy(&rows->moved);
    free(rows);
}

/* How many rows from `at` on lie side by side. */
static int run_of(const struct gx_rows *rows, int at, int most)
{
    return most < rows->room - at ? most : rows->room - at;
}

bool gx_rows_put(struct gx_rows *rows, const void *from, int count)
{
    const unsigned char *next = from;
    pthread_mutex_lock(&rows->lock);
    while (count > 0 && !rows->stopped) {
        int free_rows = rows->room - rows->held, at = (rows->first + rows->held) % rows->room;
        int now = run_of(rows, at, free_rows < count ? free_rows : count);
        if (now == 0) {
            pthread_cond_wait(&rows->moved, &rows->lock);
            continue;
        }
        memcpy(rows->data + (size_t)at * rows->bytes, next, (size_t)now * rows->bytes);
        next += (size_t)now * rows->bytes;
        count -= now;
        rows->held += now;
        pthread_cond_broadcast(&rows->moved);
    }
    bool done = !rows->stopped;
    pthread_mutex_unlock(&rows->lock);
    return done;
}

int gx_rows_take(struct gx_rows *rows, void *to, int count)
{
    unsigned char *next = to;
    int taken = 0;
    pthread_mutex_lock(&rows->lock);
    while (taken < count && (rows->held > 0 || !rows->stopped)) {
        int wanted = count - taken;
        int now = run_of(rows, rows->first, rows->held < wanted ? rows->held : wanted);
        if (now == 0) {
            pthread_cond_wait(&rows->moved, &rows->lock);
            continue;
        }
        memcpy(next, rows->data + (size_t)rows->first * rows->bytes, (size_t)now * rows->bytes);
        next += (size_t)now * rows->bytes;
        taken += now;
        rows->first = (rows->first + now) % rows->room;
        rows->held -= now;
        pthread_cond_broadcast(&rows->moved);
    }
    pthread_mutex_unlock(&rows->lock);
    return taken;
}

void gx_rows_stop(struct gx_rows *rows)
{
    pthread_mutex_lock(&rows->lock);
    rows->stopped = true;
    pthread_cond_broadcast(&rows->moved);
    pthread_mutex_unlock(&rows->lock);
}
