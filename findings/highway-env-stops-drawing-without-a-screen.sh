#!/usr/bin/env bash
# highway-env 1.12.1 with SDL_VIDEODRIVER=dummy: `render()` returns the same picture forever, without an error.
#
# `dummy` is the usual way to run pygame on a machine without a screen, and the other environments of the field draw
# with it. Here the cars move, the observations change, and every frame is equal to the first: a recording looks fine
# until one compares its frames. With `SDL_VIDEODRIVER=offscreen` (or without a value on a machine with a screen) it
# draws.
#
# Output seen:
#   dummy 1 different frames of 6, offscreen 6 different frames of 6
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q highway-env==1.12.1 gymnasium==1.4.0
cat > "$folder/draw.py" <<'PYTHON'
import gymnasium
import highway_env

gymnasium.register_envs(highway_env)
env = gymnasium.make("highway-v0", render_mode="rgb_array")
env.reset(seed=0)
frames = set()
for _ in range(6):
    env.step(1)
    frames.add(env.render().tobytes())
print(f"{len(frames)} different frames of 6")
PYTHON
run() { SDL_VIDEODRIVER=$1 "$folder/venv/bin/python" "$folder/draw.py" 2>/dev/null | tail -n 1; }
seen="dummy $(run dummy), offscreen $(run offscreen)"
echo "$seen"
[ "$seen" = "dummy 1 different frames of 6, offscreen 6 different frames of 6" ]
