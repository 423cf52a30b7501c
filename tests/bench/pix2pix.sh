#!/bin/sh
# U-Net 256 inference and a whole pix2pix 256 training step, ganx and PyTorch in turn (A B A B ...),
# so that a drifting machine slows both: prints each round and the medians of the ratios.
#   tests/bench/pix2pix.sh [ROUNDS]      needs python3 with torch; THREADS=2
rounds=${1:-5} threads=${THREADS:-2}
here=$(dirname "$0")
ganx=${GANX:-$here/../../build/ganx}
export THREADS="$threads"

number() { # KEY < JSON: its value
    sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p"
}

median() { # one number a line
    sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for round in $(seq "$rounds"); do
    torch=$(python3 "$here/pix2pix_torch.py" step 256) || exit 1
    $ganx pix2pix bench --size 256 --json --threads "$threads" >"$work/use" || exit 1
    command time -f %M -o "$work/rss" "$ganx" pix2pix bench --size 256 --training --json \
        --threads "$threads" >"$work/step" || exit 1
    ours_use=$(number ms <"$work/use" | head -n 1)
    ours_step=$(tail -n 1 "$work/step" | number ms)
    torch_use=$(echo "$torch" | number inference_s)
    torch_step=$(echo "$torch" | number step_s)
    echo "$round $ours_use $ours_step $torch_use $torch_step $(tail -n 1 "$work/rss") $(echo "$torch" |
        number peak_mib)" | awk '{
        printf "round %d: inference %.0f ms, PyTorch %.0f; step %.0f ms, PyTorch %.0f; peak %.0f MiB, PyTorch %.0f\n",
            $1, $2, $4 * 1000, $3, $5 * 1000, $6 / 1024, $7
        print $4 * 1000 / $2 >>"'"$work"'/use.ratio"
        print $5 * 1000 / $3 >>"'"$work"'/step.ratio" }'
done
echo "PyTorch's time over ganx's, medians of $rounds: inference $(median <"$work/use.ratio"), training step $(median <"$work/step.ratio")"
