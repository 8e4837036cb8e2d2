#!/usr/bin/env bash
# pyarrow 26.0.1: `Table.join` fails as soon as either table has a list column, even one that is neither a key nor
# needed in the result.
#
# Robot datasets keep states and actions as lists of numbers, so that a column of labels cannot be joined to their
# Parquet files by (episode_index, frame_index) until those columns are taken out and put back. pandas merges the same
# tables.
#
# Output seen:
#   without the list 2 rows, with it ArrowInvalid, pandas 2 rows
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyarrow==26.0.1 pandas
cat > "$folder/join.py" <<'PYTHON'
import pyarrow as pa

keys = ["episode_index", "frame_index"]
data = pa.table({"episode_index": [0, 0], "frame_index": [0, 1], "action": [[0.1, 0.2], [0.3, 0.4]]})
labels = pa.table({"episode_index": [0, 0], "frame_index": [0, 1], "label": ["push", "pull"]})
plain = data.drop_columns(["action"]).join(labels, keys=keys).num_rows
try:
    listed = f"{data.join(labels, keys=keys).num_rows} rows"
except pa.ArrowException as error:
    listed = type(error).__name__
merged = len(data.to_pandas().merge(labels.to_pandas(), on=keys))
print(f"without the list {plain} rows, with it {listed}, pandas {merged} rows")
PYTHON
seen=$("$folder/venv/bin/python" "$folder/join.py")
echo "$seen"
[ "$seen" = "without the list 2 rows, with it ArrowInvalid, pandas 2 rows" ]
