#!/bin/sh
# What `make install` lays down serves someone who has only that: the program runs, each public
# header compiles by itself, the examples build through pkg-config, and models are found, from a tree
# that was moved.
set -eu
O=${O:-build}
case $O in /*) stage=$O/stage ;; *) stage=$PWD/$O/stage ;; esac
unset MAKEFLAGS MFLAGS # the make above this script keeps its job slots to itself
rm -rf "$stage" "$stage.moved" "$stage.models"
mkdir -p "$stage.models"
$O/ganx convert -q tests/reference/forward/pix2pix_unet32_grey_to_rgba/weights.pth \
    "$stage.models/pix2pix.safetensors"
echo '# Some model' >"$stage.models/pix2pix.md"
echo 'not to be installed' >"$stage.models/README.md"
make -s install DESTDIR="$stage" PREFIX=/usr/local MODELS="$stage.models" >/dev/null
mv "$stage" "$stage.moved"
stage=$stage.moved/usr/local

fail() {
    echo "install: $*"
    exit 1
}
for file in bin/ganx lib/libganx.a share/man/man1/ganx.1 share/ganx/configs/pix2pix.yaml \
    share/bash-completion/completions/ganx share/ganx/models/pix2pix.md; do
    [ -s "$stage/$file" ] || fail "no $file"
done
"$stage/bin/ganx" version | grep -q . || fail "the installed program does not run"

[ ! -e "$stage/share/ganx/models/README.md" ] || fail "README.md among the models"
(
    work=$(mktemp -d) && cd "$work" && trap 'rm -rf "$work"' EXIT
    GANX_MODELS='' XDG_DATA_HOME=$work "$stage/bin/ganx" pix2pix translate \
        "$OLDPWD/tests/reference/picture/rgb.png" out.png 2>said &&
        grep -qF "using the model '$stage/share/ganx/models/pix2pix.safetensors'" said && [ -s out.png ]
) || fail "the installed program does not find the installed model"

export PKG_CONFIG_PATH="$stage/lib/pkgconfig"
flags=$(pkg-config --cflags ganx)
libs=$(pkg-config --libs ganx)
[ -z "${SANITIZE-}" ] || libs="$libs -fsanitize=$SANITIZE"
case $flags in *"$PWD/include"* | *"$PWD/src"*) fail "flags point into the source: $flags" ;; esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for header in "$stage"/include/ganx/*.h; do
    echo "#include <ganx/${header##*/}>" >"$work/header.c"
    ${CC:-gcc} -std=c11 -Wall -Wextra -Werror -fsyntax-only $flags "$work/header.c" ||
        fail "${header##*/} does not stand by itself"
done
cat >"$work/use.c" <<'END'
#include <ganx/network.h>
#include <stdio.h>
int main(void)
{
    struct gx_network_spec spec;
    struct gx_err err;
    if (gx_spec_from_name(&spec, "unet_128", &err))
        return 1;
    printf("%s with %d halvings\n", spec.network->name, gx_spec_get(&spec, "downs"));
}
END
for source in "$work/use.c" examples/*.c; do
    [ -f "$source" ] || continue
    name=${source##*/}
    ${CC:-gcc} -std=c11 -Wall -Wextra $flags -o "$work/${name%.c}" "$source" $libs ||
        fail "$source does not build against the installed tree"
done
[ "$("$work/use")" = 'unet with 7 halvings' ] || fail "a program of the installed library is wrong"
