# Read before each script of a .case file.
ganx() { "$GANX" "$@"; }

# pairs COUNT SIDE FOLDER: side-by-side pairs as plain PPM, B being A with its channels turned.
pairs() {
    mkdir -p "$3" && awk -v count="$1" -v side="$2" -v folder="$3" 'BEGIN {
        for (i = 0; i < count; i++) {
            file = sprintf("%s/%d.ppm", folder, i)
            printf "P3 %d %d 255\n", 2 * side, side > file
            for (y = 0; y < side; y++)
                for (x = 0; x < 2 * side; x++) {
                    u = x % side; r = (u * (7 + i) + y * 5) % 256; g = (u * 3 + y * 11 + 40 * i) % 256
                    b = (u * y + 90) % 256
                    print (x < side ? r " " g " " b : g " " b " " r) > file
                }
            close(file)
        }
    }'
}

# tiny ARGUMENTS: trains the smallest networks on data/, on one thread.
tiny() {
    ganx pix2pix train --threads 1 --seed 5 --set data.load_size=16 --set data.crop_size=16 \
        --set net.generator=unet_16 --set net.ngf=4 --set net.ndf=4 --set net.n_layers=1 "$@"
}

# Goes on once the file $1 is there (30 s at most).
await() { for _ in $(seq 300); do [ -e "$1" ] && return 0; sleep 0.1; done; return 1; }

# bounded ARGUMENTS: ganx with 2 GB of memory to ask for. AddressSanitizer reserves terabytes at its
# start, and has its own limit.
bounded() {
    if grep -q __asan_init "$GANX"; then
        ASAN_OPTIONS=max_allocation_size_mb=2000:allocator_may_return_null=1 ganx "$@"
    else
        (ulimit -v 2000000 && ganx "$@")
    fi
}

# unpaired FOLDER: a few small pictures of two kinds, in trainA/ and trainB/.
unpaired() {
    mkdir -p "$1/trainA" "$1/trainB" && for i in 1 2 3; do
        { printf 'P6 16 16 255\n'; head -c $((800 * i)) "$ROOT/src/main.c" | tail -c 768; } > "$1/trainA/$i.ppm"
        { printf 'P6 16 16 255\n'; head -c $((800 * i)) "$ROOT/Makefile" | tail -c 768; } > "$1/trainB/$i.ppm"
    done
}

# tiny_cycle ARGUMENTS: trains the smallest pair of generators on data/, on one thread.
tiny_cycle() {
    ganx cycle train --threads 1 --seed 5 --set data.load_size=16 --set data.crop_size=16 \
        --set net.generator=resnet_6blocks --set net.ngf=4 --set net.ndf=4 --set net.n_layers=1 "$@"
}

# tiny_star ARGUMENTS: trains the smallest star on data/, on one thread.
tiny_star() {
    ganx star train --threads 1 --seed 5 --set data.load_size=16 --set data.crop_size=16 \
        --set net.ngf=4 --set net.ndf=4 --set net.n_layers=2 --set net.blocks=1 --set train.batch=2 "$@"
}
