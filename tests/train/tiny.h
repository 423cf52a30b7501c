/* Training runs that take a fraction of a second, for the tests of the loop: a data set of small
 * learnable pairs, a configuration of tiny networks, and a look at what a run left behind. */
#ifndef GX_TESTS_TRAIN_TINY_H
#define GX_TESTS_TRAIN_TINY_H

#include "../test.h"
#include "config/resolve.h"
#include "ganx/network.h"
#include "train/train.h"

#include <stdbool.h>
#include <stdio.h>

enum { TINY_PAIRS = 7, TINY_HELD = 2, TINY_SIDE = 18, TINY_CROP = 16, TINY_LINES = 256 };

/* cmocka fixtures of a whole program: a temporary folder that holds data/train and data/val, pairs
 * of 18 x 18 in which B is A with its channels turned and dimmed; the one pair of one/ besides; and
 * for the other families unpaired/ (A and B, of other pictures), domains/ (cool, warm, hot),
 * photos/ (train and val) and pairless/ (LR/ and HR/ in both). */
int tiny_setup(void **state);
int tiny_teardown(void **state);
/* A path in that folder; a few live at a time. */
const char *tiny_path(const char *format, ...) GX_PRINTF(1, 2);

/* A narrow VGG16, by a path from the repository's root, where tests run. */
#define TINY_VGG                                                                                   \
    "loss.perceptual_model=tests/reference/forward/vgg16_narrow/weights.pth "                      \
    "loss.perceptual_layers=conv2_2=1,relu1_2=0.5"

/* The family, with its data and its tiny networks, of what follows; pix2pix at first. "unpaired-sr" is
 * cycle with networks of two sizes. */
void tiny_family(const char *name);

/* A configuration as from the command line: the tiny networks' words, then `words`, separated by
 * blanks; one that does not begin with "--" is a --set. The run is runs/`run`. Clear it. */
void tiny_config(struct gx_config *config, const char *run, const char *words);

/* The built ganx. */
const char *tiny_program(void);
/* The same as a shell's command of the real program; free it. */
char *tiny_command(const char *run, const char *words);

/* Trains with that configuration; gives gx_train's code and keeps its text, result and warnings. */
struct tiny_outcome {
    int code;
    struct gx_train_result result;
    struct gx_err err;
    char said[4096]; /* every line, warnings begin with "! " */
};
/* `stop_at`: the step at which a SIGTERM is seen; 0: never. */
struct tiny_outcome tiny_try(const char *run, int64_t stop_at, const char *words);
/* The same, but anything short of the last step fails the test. */
void tiny_train(const char *run, const char *words);
/* Trains until a signal at that step, which must be heard. */
void tiny_stop(const char *run, int64_t stop_at, const char *words);

/* ---- what a run left ---- */

/* The lines of metrics.jsonl without s_per_step; free the text. */
char *tiny_metrics(const char *run);
/* The values of one name ("lr", "G_L1", "l1") by order of lines; gives how many (TINY_LINES). */
int tiny_curve(const char *run, const char *name, double *value);

/* One tensor of runs/RUN/FILE; gives how many floats, and them in *data (free it); 0: no such. */
int64_t tiny_tensor(const char *run, const char *file, const char *name, float **data);
/* All tensors whose names begin so, one after another. */
int64_t tiny_tensors(const char *run, const char *file, const char *prefix, float **data);
/* A text in a file's metadata; free it. */
char *tiny_text(const char *run, const char *file, const char *key);
/* Whole file as text; free it. */
char *tiny_read(const char *run, const char *file);

/* Same tensors, bit for bit, and the same counters. */
void tiny_assert_same(const char *run, const char *other, const char *file);
/* Same lines but for s_per_step; same target of the link. */
void tiny_assert_same_metrics(const char *run, const char *other);
void tiny_assert_same_link(const char *run, const char *other, const char *name);
/* The largest difference over all tensors, as a share of each tensor's largest value. */
double tiny_distance(const char *run, const char *other, const char *file);

#endif
