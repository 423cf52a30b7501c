#!/bin/sh
# StarGAN's generator at work and a whole step at 128 (five of the critic, with the gradient penalty,
# and one of the generator), ganx and PyTorch: the losses first, then the times and their ratios.
#   tests/bench/star.sh [ROUNDS]       needs torch and Pillow; THREADS=2 SIZE=128 BATCH=4 WIDTH=64
family=star size=${SIZE:-128} batch=${BATCH:-4} width=${WIDTH:-64}
train="--set optim.lr=0 --set train.batch=2 --set net.n_layers=3"
. "$(dirname "$0")/rounds.sh"
