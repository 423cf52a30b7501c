#!/bin/sh
# `make bench`: how long ganx takes here for every row of tests/bench/rows.
#   tests/bench/rows.sh [-q] [-m] [-o FILE] [inference|training|scaling|start|batch]...
# -o FILE: JSON lines, the first of which names the machine; -m: into measured/, in a file named for
# processor and date. -q: once each, and few pictures; to try.
# What it calls traffic is what operators read and write, in caches or not.
repeat=5 photographs=200 out= keep=
while getopts qmo: flag; do
    case $flag in
    q) repeat=1 photographs=8 ;;
    m) keep=yes ;;
    o) out=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- inference training scaling start batch

here=$(dirname "$0") build=${O:-build}
ganx=$build/ganx
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
lines=$work/lines

number() { # KEY < a line of JSON
    sed -n "s/.*\"$1\": *\(-\{0,1\}[0-9.e+-]*\).*/\1/p"
}

note() { # JSON: a line of its own for what ganx did not say
    printf '%s\n' "$1" >>"$lines"
}

# measure NAME FAMILY WORDS...: the line that ganx printed, with the row's name, in $line
measure() {
    name=$1 family=$2
    shift 2
    line=$("$ganx" "$family" bench --json --repeat "$repeat" "$@" | tail -n 1)
    [ -n "$line" ] || exit 1
    line="{\"row\": \"$name\", ${line#\{}"
    note "$line"
}

value() { # KEY: of $line
    printf '%s\n' "$line" | number "$1"
}

rows() { # KIND: "name family words", a line each
    sed -n "s/^$1 *//p" "$here/rows"
}

machine() {
    "$ganx" version --json | tr -d '\n' | sed "s/^{ */{\"what\": \"machine\", \"date\": \"$(date +%F)\", \
\"commit\": \"$(git -C "$here" rev-parse --short HEAD 2>/dev/null)\", /; s/  */ /g" >"$lines"
    echo >>"$lines"
    "$ganx" version | grep -E '^(cpu|kernels|threads|openblas_core) '
}

inference() {
    printf '\n%-15s%9s%9s%9s%9s%9s%10s%12s%8s\n' inference size ms GFLOP GFLOP/s GB/s 'arena MiB' '1 thread ms' ratio
    rows inference | while read -r name family words; do
        # shellcheck disable=SC2086
        measure "$name" "$family" --threads 1 $words
        one=$(value ms)
        # shellcheck disable=SC2086
        measure "$name" "$family" $words
        echo "$name $(value size)x$(value height) $(value ms) $(value gflop) $(value moved_bytes) \
$(value arena_bytes) $one" | awk '{ printf "%-15s%9s%9.1f%9.1f%9.0f%9.1f%10.1f%12.1f%8.2f\n", $1, $2, $3, $4,
            $4 / $3 * 1e3, $5 / $3 * 1e-6, $6 / 1048576, $7, $7 / $3 }'
    done
}

training() {
    printf '\n%-15s%9s%9s%9s%9s%9s%10s%10s\n' 'training step' size ms GFLOP GFLOP/s GB/s 'arena MiB' 'peak MiB'
    rows training | while read -r name family words; do
        # shellcheck disable=SC2086
        measure "$name" "$family" --training $words
        echo "$name $(value size)x$(value height)x$(value batch) $(value ms) $(value gflop) \
$(value moved_bytes) $(value arena_bytes) $(value peak_bytes)" | awk '{
            printf "%-15s%9s%9.0f%9.1f%9.0f%9.1f%10.1f%10.1f\n", $1, $2, $3, $4, $4 / $3 * 1e3, $5 / $3 * 1e-6,
            $6 / 1048576, $7 / 1048576 }'
    done
}

# Time and memory for a pixel, against those of the smallest picture: at most 1.1.
scaling() {
    printf '\n%-15s%9s%9s%9s%9s%12s%12s%14s%14s\n' scaling side 'ms x1' x4 x16 'time/px x4' x16 'memory/px x4' x16
    rows scaling | while read -r name family words; do
        side=${words##*--size } words=${words%--size*} found=
        side=${side%% *}
        for factor in 1 2 4; do
            # shellcheck disable=SC2086
            measure "$name" "$family" $words --size $((side * factor))
            found="$found $(value ms) $(value arena_bytes)"
        done
        echo "$name $side $found" | awk '{ printf "%-15s%9s%9.1f%9.1f%9.1f%12.2f%12.2f%14.2f%14.2f\n", $1, $2, $3,
            $5, $7, $5 / $3 / 4, $7 / $3 / 16, $6 / $4 / 4, $8 / $4 / 16 }'
    done
}

milliseconds() { # COMMAND...: its time
    began=$(date +%s%N)
    "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    echo $((($(date +%s%N) - began) / 1000)) | awk '{ print $1 / 1000 }'
}

# A process that translates one picture of 256 x 256, its model in the page cache.
start() {
    "$build/tests/bench/weights" "$work/unet.safetensors" unet_256 || exit 1
    "$build/tests/bench/photographs" "$work/one" 1 256x256 || exit 1
    for _ in 0 $(seq 9); do
        milliseconds "$ganx" pix2pix translate -q -f -m "$work/unet.safetensors" "$work/one/0000.jpg" "$work/one.png"
    done | tail -n 9 | sort -n | sed -n 5p >"$work/ms"
    printf '\nstart to first pixel, unet_256, a process that translates one picture of 256x256: %s ms\n' "$(cat "$work/ms")"
    note "{\"what\": \"start\", \"network\": \"unet_256\", \"size\": 256, \"ms\": $(cat "$work/ms")}"
}

# Photographs through a network at 256: the whole run against the network's own time.
batch() {
    "$build/tests/bench/photographs" "$work/photographs" "$photographs" 1440x720 || exit 1
    printf '\n%-15s%12s%9s%16s%8s\n' batch photographs s 'network alone s' ratio
    while read -r name family network size flags; do
        "$build/tests/bench/weights" "$work/$name.safetensors" "$network" "$size" || exit 1
        # shellcheck disable=SC2086
        ms=$(milliseconds "$ganx" "$family" translate -q -f -m "$work/$name.safetensors" --size 256 $flags \
            "$work/photographs" "$work/translated")
        measure "$name" "$family" -m "$work/$name.safetensors" --size 256
        echo "$name $photographs $ms $(value ms)" | awk '{
            printf "%-15s%12d%9.2f%16.2f%8.3f\n", $1, $2, $3 / 1e3, $2 * $4 / 1e3, $3 / $2 / $4 }'
        note "{\"what\": \"batch\", \"row\": \"$name\", \"photographs\": $photographs, \"ms\": $ms, \
\"network_ms\": $(value ms)}"
    done <<LIST
unet-256 pix2pix unet_256 cin=3
stargan star star_generator c_dim=5 --to 1
LIST
}

machine
for what; do
    "$what" || exit 1
done
if [ -n "$keep" ]; then
    fact() { "$ganx" version | sed -n "s/^$1  *//p"; }
    cpu=$(fact cpu | tr '[:upper:]' '[:lower:]' | sed 's/(r)//g; s/[^a-z0-9]\{1,\}/-/g')
    out=$here/measured/$(fact kernels)-$cpu-$(date +%F)-own.jsonl
fi
[ -z "$out" ] || cp "$lines" "$out"
