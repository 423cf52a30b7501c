#!/bin/sh
# ResNet-9 inference and a whole CycleGAN step (two ResNet-9, two PatchGANs) at 256, ganx and PyTorch:
# the losses first, then the times and their ratios.
#   tests/bench/cycle.sh [ROUNDS]      needs torch and Pillow; THREADS=2 SIZE=256 BATCH=1 WIDTH=64
family=cycle size=${SIZE:-256} batch=${BATCH:-1} width=${WIDTH:-64} train=
. "$(dirname "$0")/rounds.sh"
