/* libyaml 0.2.5 has no depth limit and accepts duplicate keys, so neither is left to it: its events
 * are taken one at a time, and the first that a configuration has no use for ends the reading. */
#include "config/yaml.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    struct gx_yaml *yaml;
    struct gx_arena *arena;
    const char *text, *name;
    size_t size;
    struct gx_err *err;
    int room;
};

static int refuse(struct reader *r, yaml_mark_t at, const char *message)
{
    return gx_fail(r->err, GX_E_CONFIG, "%s:%zu:%zu: %s", r->name, at.line + 1, at.column + 1,
                   message);
}

static int next(struct reader *r)
{
    yaml_event_delete(&r->event);
    if (yaml_parser_parse(&r->parser, &r->event))
        return 0;
    yaml_mark_t at = r->parser.problem_mark;
    if (r->parser.error == YAML_READER_ERROR) { /* has an offset and no mark */
        at = (yaml_mark_t){0};
        for (; at.index < r->parser.problem_offset && at.index < r->size; at.index++) {
            bool newline = r->text[at.index] == '\n';
            at.line += newline;
            at.column = newline ? 0 : at.column + 1;
        }
    }
    char message[200];
    snprintf(message, sizeof message, "%s%s%s",
             r->parser.problem ? r->parser.problem : "cannot be read", r->parser.context ? " " : "",
             r->parser.context ? r->parser.context : "");
    return refuse(r, at, message);
}

static int plain_data(struct reader *r, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        return refuse(r, r->event.start_mark, "anchors and aliases are not allowed");
    if (tag)
        return refuse(r, r->event.start_mark, "tags are not allowed");
    return 0;
}

/* The scalar of the current event; anything else, tagged ones too, is refused. */
static int scalar(struct reader *r, const char *expected, const char **text,
                  enum gx_yaml_kind *kind)
{
    if (r->event.type == YAML_ALIAS_EVENT)
        return refuse(r, r->event.start_mark, "anchors and aliases are not allowed");
    if (r->event.type != YAML_SCALAR_EVENT)
        return refuse(r, r->event.start_mark, expected);
    int code = plain_data(r, r->event.data.scalar.anchor, r->event.data.scalar.tag);
    if (code)
        return code;
    *text = gx_arena_text(r->arena, (const char *)r->event.data.scalar.value);
    if (strlen(*text) != r->event.data.scalar.length)
        return refuse(r, r->event.start_mark, "a text contains a NUL");
    *kind = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? GX_YAML_PLAIN : GX_YAML_QUOTED;
    return 0;
}

static struct gx_yaml_entry *find(struct gx_yaml *yaml, const char *key)
{
    for (int i = 0; i < yaml->count; i++)
        if (!strcmp(yaml->entry[i].key, key))
            return &yaml->entry[i];
    return NULL;
}

/* A list of scalars, joined with commas. */
static int list(struct reader *r, struct gx_yaml_entry *entry)
{
    int code;
    const char *joined = "", *text;
    enum gx_yaml_kind kind;
    while (!(code = next(r)) && r->event.type != YAML_SEQUENCE_END_EVENT) {
        if ((code = scalar(r, "a list holds plain values only", &text, &kind)))
            return code;
        if (strlen(joined) + strlen(text) > 4000)
            return refuse(r, r->event.start_mark, "this list is too long");
        joined = *joined ? gx_arena_format(r->arena, "%s,%s", joined, text) : text;
    }
    entry->value = joined;
    entry->kind = GX_YAML_LIST;
    return code;
}

static int mapping(struct reader *r, const char *path, int depth);

static int value(struct reader *r, struct gx_yaml_entry entry, int depth)
{
    int code = next(r), at;
    if (code)
        return code;
    entry.value = "";
    entry.value_line = (int)r->event.start_mark.line + 1;
    entry.value_column = (int)r->event.start_mark.column + 1;
    bool section = r->event.type == YAML_MAPPING_START_EVENT;
    if (section) {
        entry.kind = GX_YAML_SECTION;
        code = plain_data(r, r->event.data.mapping_start.anchor, r->event.data.mapping_start.tag);
    } else if (r->event.type == YAML_SEQUENCE_START_EVENT) {
        code = plain_data(r, r->event.data.sequence_start.anchor, r->event.data.sequence_start.tag);
        if (!code)
            code = list(r, &entry);
    } else {
        code = scalar(r, "a value is expected here", &entry.value, &entry.kind);
    }
    if (code)
        return code;
    at = r->yaml->count++;
    if (at == r->room) { /* the arena keeps the old array: at most twice the final one in all */
        r->room = 2 * r->room + 32;
        struct gx_yaml_entry *more = gx_arena_alloc(r->arena, (size_t)r->room * sizeof *more);
        if (at)
            memcpy(more, r->yaml->entry, (size_t)at * sizeof *more);
        r->yaml->entry = more;
    }
    r->yaml->entry[at] = entry;
    return section ? mapping(r, entry.key, depth + 1) : 0;
}

/* The keys of one mapping whose start was the current event. */
static int mapping(struct reader *r, const char *path, int depth)
{
    int code;
    if (depth > GX_YAML_DEPTH_MAX)
        return refuse(r, r->event.start_mark, "sections are nested too deeply");
    while (!(code = next(r)) && r->event.type != YAML_MAPPING_END_EVENT) {
        struct gx_yaml_entry entry = {.line = (int)r->event.start_mark.line + 1,
                                      .column = (int)r->event.start_mark.column + 1};
        const char *key;
        enum gx_yaml_kind kind;
        if ((code = scalar(r, "a key is expected here", &key, &kind)))
            return code;
        if (strlen(key) > 200)
            return refuse(r, r->event.start_mark, "this key is too long");
        entry.key = *path ? gx_arena_format(r->arena, "%s.%s", path, key) : key;
        const struct gx_yaml_entry *before = find(r->yaml, entry.key);
        if (before)
            return gx_fail(r->err, GX_E_CONFIG, "%s:%d:%d: '%s' was given in line %d already",
                           r->name, entry.line, entry.column, entry.key, before->line);
        if (r->yaml->count >= 1000)
            return refuse(r, r->event.start_mark, "there are too many keys");
        if ((code = value(r, entry, depth)))
            return code;
    }
    return code;
}

static int document(struct reader *r)
{
    static const char expected[] = "keys and values are expected, as in 'data: ...'";
    int code = next(r); /* the stream's start */
    if (!code)
        code = next(r);
    if (code || r->event.type == YAML_STREAM_END_EVENT)
        return code; /* nothing but comments: nothing is set */
    if (r->event.data.document_start.version_directive ||
        r->event.data.document_start.tag_directives.start)
        return refuse(r, r->event.start_mark, "directives are not allowed");
    if ((code = next(r)))
        return code;
    const char *text = "";
    enum gx_yaml_kind kind;
    if (r->event.type == YAML_MAPPING_START_EVENT) {
        code = plain_data(r, r->event.data.mapping_start.anchor, r->event.data.mapping_start.tag);
        if (!code)
            code = mapping(r, "", 1);
    } else if (!(code = scalar(r, expected, &text, &kind)) && *text) {
        code = refuse(r, r->event.start_mark, expected);
    }
    if (code)
        return code;
    if ((code = next(r)) || (code = next(r))) /* the document's end, and what follows */
        return code;
    if (r->event.type != YAML_STREAM_END_EVENT)
        return refuse(r, r->event.start_mark, "a second document is not allowed");
    return 0;
}

int gx_yaml_read(struct gx_yaml *yaml, struct gx_arena *arena, const char *text, size_t size,
                 const char *name, struct gx_err *err)
{
    memset(yaml, 0, sizeof *yaml);
    if (size > GX_YAML_BYTES_MAX)
        return gx_fail(err, GX_E_CONFIG, "%s:1:1: a configuration has at most %d bytes", name,
                       GX_YAML_BYTES_MAX);
    struct reader r = {
        .yaml = yaml, .arena = arena, .text = text, .name = name, .size = size, .err = err};
    if (!yaml_parser_initialize(&r.parser))
        return gx_fail(err, GX_E_NOMEM, "no memory to read '%s'", name);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    int code = document(&r);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return code;
}
