# Read by cycle.sh and star.sh, which set family, size, batch, width (channels of the first layers)
# and train (words of the agreement run):
# first that ganx and PyTorch have the same losses on the same weights and pictures, then rounds of
# PyTorch and ganx in turn (A B A B ...), so that a drifting machine slows both.
rounds=${1:-5} threads=${THREADS:-2}
here=$(dirname "$0")
ganx=${GANX:-$here/../../build/ganx}
torch="python3 $here/families_torch.py $family"
export THREADS="$threads"

number() { # KEY < JSON: its value
    sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p"
}

median() { # one number a line
    sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

$torch make "$work" || exit 1
# shellcheck disable=SC2086
$ganx "$family" train --quiet --data "$work" --init "$work/init.pth" --run "$work/run" --steps 1 \
    --set net.ngf=16 --set net.ndf=16 --set data.flip=false --set data.shuffle=false \
    --set data.load_size=64 --set data.crop_size=64 --threads "$threads" $train || exit 1
$torch same "$work" || exit 1

for round in $(seq "$rounds"); do
    theirs=$($torch step "$size" "$batch" "$width") || exit 1
    $ganx "$family" bench --size "$size" --batch "$batch" --width "$width" --repeat 3 --json \
        --threads "$threads" >"$work/use" || exit 1
    command time -f %M -o "$work/rss" "$ganx" "$family" bench --size "$size" --batch "$batch" \
        --width "$width" --repeat 3 --training --json --threads "$threads" >"$work/step" || exit 1
    echo "$round $(number ms <"$work/use" | head -n 1) $(tail -n 1 "$work/step" | number ms) $(echo "$theirs" |
        number inference_s) $(echo "$theirs" | number step_s) $(tail -n 1 "$work/rss") $(echo "$theirs" |
        number peak_mib)" | awk '{
        printf "round %d: inference %.0f ms, PyTorch %.0f; step %.0f ms, PyTorch %.0f; peak %.0f MiB, PyTorch %.0f\n",
            $1, $2, $4 * 1000, $3, $5 * 1000, $6 / 1024, $7
        print $4 * 1000 / $2 >>"'"$work"'/use.ratio"
        print $5 * 1000 / $3 >>"'"$work"'/step.ratio" }'
done
echo "PyTorch's time over ganx's, medians of $rounds: inference $(median <"$work/use.ratio"), training step $(median <"$work/step.ratio")"
