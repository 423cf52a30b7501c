#!/bin/sh
# Each model of models/ is small, has a card with all that a card must say, which is also inside it,
# and is what its family's `translate` takes, whatever the size of a picture; but for vgg16, by which
# pictures are measured.
set -eu
ganx=${O:-build}/ganx
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "models: $*"
    exit 1
}

for card in models/*.md; do
    [ "$card" = models/README.md ] || [ -f "${card%.md}.safetensors" ] || fail "$card has no model"
done
for model in models/*.safetensors; do
    [ -e "$model" ] || continue
    card=${model%.safetensors}.md
    [ -s "$card" ] || fail "$model has no card"
    for part in Data Licence Recipe Figures Limits; do
        grep -q "^#.*$part" "$card" || fail "$card does not tell '$part'"
    done
    case $model in */vgg16.*) most=29 ;; *) most=10 ;; esac
    [ "$(wc -c <"$model")" -le $((most * 1048576)) ] || fail "$model is larger than $most MB"
    $ganx info "$model" >"$work/said"
    sed 's/^/  /' "$card" >"$work/card"
    tail -n "$(wc -l <"$card")" "$work/said" | cmp -s - "$work/card" ||
        fail "$model carries another card than $card; convert it with --card"
    if [ "$model" = models/vgg16.safetensors ]; then
        grep -q '^network *vgg16: width 64$' "$work/said" || fail "$model is not VGG16"
        continue
    fi
    family=$(sed -n 's/^  ganx.family = //p' "$work/said")
    [ "$family" ] || fail "$model does not say its family"
    $ganx "$family" translate -q -f $(grep -q '^domains ' "$work/said" && echo --to all) \
        -m "$model" tests/reference/picture/rgb.png "$work/out/" || fail "$model does not translate"
done
