/* "did you mean": the edit distance of Damerau (optimal string alignment): insert, delete, replace
 * and swap of neighbours cost one each. */
#include "config/options.h"

#include <limits.h>
#include <string.h>

enum { LONGEST = 48 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int distance(const char *a, const char *b)
{
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > LONGEST || m > LONGEST)
        return INT_MAX;
    int row[3][LONGEST + 1]; /* the row in work and the two before it, in turn */
    for (int j = 0; j <= m; j++)
        row[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = row[i % 3], *before = row[(i + 2) % 3], *earlier = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            int cost = a[i - 1] != b[j - 1];
            now[j] = least(least(before[j], now[j - 1]) + 1, before[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], earlier[j - 2] + 1);
        }
    }
    return row[n % 3][m];
}

const char *gx_suggest(const char *word, const char *const *names)
{
    const char *best = NULL;
    int nearest = INT_MAX;
    for (; *names; names++) {
        int far = distance(word, *names);
        if (far < nearest) {
            nearest = far;
            best = *names;
        }
    }
    int length = (int)strnlen(word, LONGEST); /* a third of the letters may be wrong */
    return nearest <= least(1 + length / 3, 4) && nearest < length ? best : NULL;
}
