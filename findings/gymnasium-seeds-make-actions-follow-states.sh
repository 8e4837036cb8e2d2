#!/usr/bin/env bash
# gymnasium 1.4.0: `env.reset(seed=s)` and `env.action_space.seed(s)` with the same s start two identical random
# number generators, so that in many environments random actions and first states are the same numbers in disguise.
#
# Seeding both with one number is how recordings are usually made repeatable. The state's numbers and the actions are
# then drawn from the same stream: over 50 episodes of Pendulum, the first random torque and the first angle correlate
# perfectly, and a model that infers actions from states has something to read that is not there in the world. Seeds
# that differ (here s and s + 1000) end it.
#
# Output seen:
#   same seed: |r| 1.000; other seed: |r| below 0.5
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q gymnasium==1.4.0 numpy
cat > "$folder/seeds.py" <<'PYTHON'
import gymnasium
import numpy as np


def correlation(shift):
    angles, torques = [], []
    env = gymnasium.make("Pendulum-v1")
    for seed in range(50):
        (cosine, sine, _), _ = env.reset(seed=seed)
        env.action_space.seed(seed + shift)
        angles.append(np.arctan2(sine, cosine))
        torques.append(env.action_space.sample()[0])
    return abs(np.corrcoef(angles, torques)[0, 1])


same, other = correlation(0), correlation(1000)
print(f"same seed: |r| {same:.3f}; other seed: |r| {'below 0.5' if other < 0.5 else f'{other:.3f}'}")
PYTHON
seen=$("$folder/venv/bin/python" "$folder/seeds.py")
echo "$seen"
[ "$seen" = "same seed: |r| 1.000; other seed: |r| below 0.5" ]
