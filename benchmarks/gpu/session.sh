#!/bin/bash
# One session on a GPU: both tiers of the refinement train side by side, each while the other makes
# the GPU wait, and the other cores simulate groups and pass them a first time.
#
#     [TIERS=large LARGE_OPTIONS="--weights FILE"] benchmarks/gpu/session.sh SECONDS WORK RESULTS
#
# WORK keeps examples and checkpoints; RESULTS receives weights, curves and logs. The groups that
# are trained on begin with FIRST_SEED, so that another session can draw others.
set -um # each process it starts leads a group of its own
seconds=$1 work=$2 results=$3
began=$(date +%s) data=$work/data cores=$(nproc)
export PYTHONPATH="src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
mkdir -p "$data" "$work/first" "$work/supply" "$results"
ln -sfn "$work/first" "$work/supply/first"

# The six groups that validate are the first of all; the processes share them.
workers=$((cores > 4 ? cores - 3 : 1)) started=()
make="python3 -m napari_wedgefill.training.supply $data $work/supply --from models/small"
for ((k = 0; k < workers; k++)); do
    todo=""
    for ((seed = 100000 + k; seed < 100006; seed += workers)); do
        todo+="$make --first-seed $seed --minutes 0.001; "
    done
    todo+="$make --first-seed $((${FIRST_SEED:-100010} + k * 50000)) --minutes 25"
    OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
        taskset -c $((cores - 1 - k)) bash -c "$todo" >"$work/simulating_$k.log" 2>&1 &
    started+=($!)
done

train() { # tier, options
    mkdir -p "$work/$1"
    ln -sfn "$work/first" "$work/$1/first"
    python3 -m napari_wedgefill.training.resident "$data" "$work/$1" --from models/small \
        --until $((began + seconds - 20)) --bfloat16 "${@:2}" \
        --wait-for "$data"/group_10000{0,1,2,3,4,5}.npz "$data/group_${FIRST_SEED:-100010}.npz" \
        >>"$results/$1.log" 2>&1
}
small=(small --learning-rate 3e-4 --round 40 ${OPTIONS:-})
large=(large --grow large --learning-rate 3e-4 --round 60 --passes 4 ${OPTIONS:-} ${LARGE_OPTIONS:-})
trainers=()
for tier in ${TIERS:-small large}; do
    declare -n options=$tier
    (train "${options[@]}" ${COMPILE---compile} || train "${options[@]}") >/dev/null 2>&1 &
    trainers+=($!)
done

keep() { # whatever cuts the session short, the last results are there
    for tier in ${TIERS:-small large}; do
        for file in refinement.pt refinement_pixel.pt refinement.json; do
            [ -s "$work/$tier/$file" ] && cp "$work/$tier/$file" "$results/${tier}_$file.part" 2>/dev/null &&
                mv "$results/${tier}_$file.part" "$results/${tier}_$file"
        done
        [ -e "$results/${tier}_refinement.pt" ] && rm -f "$results/${tier}_refinement_pixel.pt"
    done
}
while sleep 1; do
    kill -0 "${trainers[@]}" 2>/dev/null || break # both have ended
    (($(date +%s) >= began + seconds)) && break
    (($(date +%s) % 10 == 0)) && keep
done
keep
tail -n 40 "$results"/*.log
tail -n 1 "$work"/simulating_*.log
echo "$(ls "$data"/group_*.npz | wc -l) groups in $(($(date +%s) - began)) s"
for leader in "${started[@]}" "${trainers[@]}"; do
    kill -- "-$leader" 2>/dev/null
done
