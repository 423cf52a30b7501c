#include "cmd/report.h"
#include "util/clock.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void gx_report_init(struct gx_report *report, const struct gx_config *config, FILE *to)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    bool terminal = isatty(fileno(to)) && term && strcmp(term, "dumb");
    *report = (struct gx_report){.to = to,
                                 .json = config->json,
                                 .quiet = config->quiet,
                                 .terminal = terminal,
                                 .colour = terminal && !(no_colour && *no_colour)};
}

/* Control characters, those of Unicode's second block too, become '?'. */
static void clean(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        if (*p < ' ' || *p == 0x7f)
            *p = '?';
        else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
            p[0] = p[1] = '?';
    }
}

/* A JSON text of any bytes: where it is not UTF-8, what is not ASCII becomes '?'. */
static json_t *json_text(char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p >= 0x80)
            *p = '?';
    return json_string(text);
}

static void write_json(struct gx_report *report, const char *event, const char *level,
                       char *message, const struct gx_number *numbers, int count)
{
    json_t *line = json_object();
    json_object_set_new(line, "event", json_string(event));
    json_object_set_new(line, "level", json_string(level));
    if (*message)
        json_object_set_new(line, "message", json_text(message));
    for (int i = 0; i < count; i++) {
        double x = numbers[i].value;
        json_t *value = !isfinite(x)                      ? json_null()
                        : fabs(x) < 1e15 && x == floor(x) ? json_integer((json_int_t)x)
                                                          : json_real(x);
        json_object_set_new(line, numbers[i].name, value);
    }
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (text)
        fprintf(report->to, "%s\n", text);
    free(text);
    json_decref(line);
}

static void write_text(struct gx_report *report, enum gx_level level, char *message)
{
    static const char *const before[] = {"", "ganx: warning: ", "ganx: "};
    static const char *const colours[] = {"", "\033[33m", "\033[31m"};
    bool colour = report->colour && level != GX_INFO;
    clean(message);
    if (report->bar_shown)
        fputs("\r\033[K", report->to);
    report->bar_shown = false;
    fprintf(report->to, "%s%s%s%s\n", colour ? colours[level] : "", before[level],
            colour ? "\033[0m" : "", message);
}

static void write_event(struct gx_report *report, enum gx_level level, const char *event,
                        const struct gx_number *numbers, int count, const char *format,
                        va_list args)
{
    static const char *const levels[] = {"info", "warning", "error"};
    char message[2048];
    if (report->quiet && level == GX_INFO)
        return;
    vsnprintf(message, sizeof message, format, args);
    flockfile(report->to);
    if (report->json)
        write_json(report, event, levels[level], message, numbers, count);
    else
        write_text(report, level, message);
    fflush(report->to);
    funlockfile(report->to);
}

void gx_report(struct gx_report *report, enum gx_level level, const char *event, const char *format,
               ...)
{
    va_list args;
    va_start(args, format);
    write_event(report, level, event, NULL, 0, format, args);
    va_end(args);
}

void gx_report_numbers(struct gx_report *report, enum gx_level level, const char *event,
                       const struct gx_number *numbers, int count, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_event(report, level, event, numbers, count, format, args);
    va_end(args);
}

/* "26:03 left", "2 h 10 min left". */
static void format_left(char *text, size_t size, double seconds)
{
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e8)
        snprintf(text, size, "--:-- left");
    else if (seconds < 5999.5)
        snprintf(text, size, "%d:%02d left", (int)(seconds + 0.5) / 60, (int)(seconds + 0.5) % 60);
    else
        snprintf(text, size, "%d h %02d min left", (int)(seconds / 3600), (int)(seconds / 60) % 60);
}

/* Shortens a bar's line to `room` bytes, by whole numbers where it ends in a list of them; a
 * terminal that shows "^C" behind it needs a little space. */
static void fit(char *line, int room)
{
    if ((int)strlen(line) <= room)
        return;
    line[room < 0 ? 0 : room] = '\0';
    char *gap = line, *left = strstr(line, "left  ");
    for (char *p = left ? left + strlen("left  ") : NULL; p && (p = strstr(p, "  ")); p += 2)
        gap = p;
    if (gap > line)
        *gap = '\0';
}

/* "1234", or "12.3M" where the whole is so many that digits would dance. */
static void format_count(char *text, size_t size, double count, bool many)
{
    snprintf(text, size, many ? "%.1fM" : "%.0f", many ? count / 1e6 : count);
}

static void draw(struct gx_report *report, int64_t done, int64_t total, double rate, double left,
                 const char *rest)
{
    enum { BAR = 16 };
    struct winsize size;
    char bar[BAR + 1], count[24], all[24], speed[24], remaining[40], line[512];
    bool many = total >= 10000000;
    int columns = ioctl(fileno(report->to), TIOCGWINSZ, &size) || !size.ws_col ? 80 : size.ws_col;
    int filled = total ? (int)(BAR * (done < total ? done : total) / total) : 0;
    memset(bar, '-', BAR);
    memset(bar, '#', (size_t)filled);
    bar[BAR] = '\0';
    format_count(count, sizeof count, (double)done, many);
    format_count(all, sizeof all, (double)total, many);
    snprintf(speed, sizeof speed, many ? "%.3gM/s" : "%.3g/s", many ? rate / 1e6 : rate);
    format_left(remaining, sizeof remaining, left);
    if (total)
        snprintf(line, sizeof line, "[%s] %s/%s  %s  %s  %s", bar, count, all, speed, remaining,
                 rest);
    else
        snprintf(line, sizeof line, "%s %s  %s", count, rest, speed);
    clean(line);
    fit(line, columns - 3);
    fprintf(report->to, "\r\033[K%s", line);
    fflush(report->to);
    report->bar_shown = true;
}

void gx_report_progress(struct gx_report *report, int64_t done, int64_t total, const char *format,
                        ...)
{
    double clock = gx_clock();
    if (report->quiet || !(report->json || report->terminal))
        return;
    flockfile(report->to);
    if (report->began == 0) {
        report->began = clock;
        report->from = done;
    }
    if (clock - report->drawn >= (report->json ? 1.0 : 0.1) || (total && done >= total)) {
        char rest[256];
        va_list args;
        va_start(args, format);
        vsnprintf(rest, sizeof rest, format, args);
        va_end(args);
        double spent = clock - report->began;
        double rate = spent > 0 ? (double)(done - report->from) / spent : 0;
        double left = rate > 0 && total ? (double)(total - done) / rate : INFINITY;
        const struct gx_number numbers[] = {
            {"done", (double)done}, {"total", (double)total}, {"per_s", rate}, {"left_s", left}};
        report->drawn = clock;
        if (report->json)
            write_json(report, "progress", "info", rest, numbers, 4);
        else
            draw(report, done, total, rate, left, rest);
    }
    funlockfile(report->to);
}

void gx_report_progress_end(struct gx_report *report)
{
    flockfile(report->to);
    if (report->bar_shown)
        fputc('\n', report->to);
    report->bar_shown = false;
    report->began = report->drawn = 0;
    funlockfile(report->to);
}
