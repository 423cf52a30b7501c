#!/bin/sh
# What the README shows is true of this source: its examples compile, and the files and the make
# targets that it names are there.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "README.md: $*"
    exit 1
}

# Each block of C that begins with a comment is a file; the rest are lines for headers.
awk -v work="$work" '
    /^```$/ { file = ""; next }
    /^```c$/ { getline; file = work (/^\/\*/ ? "/example" ++n ".c" : "/lines.h") }
    file { print > file }' README.md
rows=$(sed -n 's/.*`GX_NETWORK(\([a-z]*\))`.*/extern const struct gx_network gx_network_\1;/p
               s/.*`GX_OP(\([a-z]*\))`.*/extern const struct gx_op gx_op_\1;/p' README.md)
{
    printf '%s\n' '#include "op/op.h"' '#include "net/net.h"' "$rows"
    cat "$work/lines.h"
} >"$work/before.h"
for example in "$work"/example*.c; do
    sed -i 's|"\.\./test\.h"|"tests/test.h"|' "$example"
    ${CC:-gcc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wno-missing-field-initializers -Werror \
        -fopenmp -fsyntax-only -I. -Isrc -Iinclude -Itests/op -include "$work/before.h" "$example" ||
        fail "an example does not compile"
done
[ -f "$work/example3.c" ] || fail "an example is gone"

for path in $(grep -oE '(^|[^A-Za-z0-9_/])(src|tests|configs|docs|data|examples|include)/[A-Za-z0-9_./-]*' \
    README.md | sed 's/^[^a-z]//; s/[.]$//'); do
    case $path in
    */simple.c | */mirror.c | */test_mirror.c | data/train/ | data/trainA/ | data/trainB/ | data/A/ | data/B/ | data/) ;;
    *) [ -e "$path" ] || fail "there is no $path" ;;
    esac
done
