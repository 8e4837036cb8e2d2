#!/usr/bin/env bash
# transformers 5.23.0, first import: a thread that imports it meanwhile gets a module without its classes.
#
# A module that is being imported is locked: a second thread that imports it waits until the first is done. One would
# expect it to find everything then. But at the end of its import transformers puts a new object in its place in
# sys.modules, which loads the classes on demand. The second thread took the old object from there before it waited, and
# keeps it: `from transformers import AutoConfig` raises ImportError, though the same line works a moment later.
# `import transformers` is worse: it succeeds, and the name stays bound to the old object. Where it stands at the top of
# a module, each use of transformers.AutoConfig there raises AttributeError as long as the process lives. This is not
# a matter of an unlucky instant: the second thread may come at almost any time during the import.
#
# What helps: import transformers once before threads start, or get it by importlib.import_module("transformers"), which
# looks in sys.modules again after waiting.
#
# Output seen, with Python 3.11, 3.12 and 3.13:
#   from transformers import AutoConfig: ImportError, again: works
#   import transformers: AttributeError, again: AttributeError
#   importlib.import_module: works, again: works
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q transformers==5.23.0
cat > "$folder/import.py" <<'PYTHON'
import importlib
import sys
import threading
import time


def first():
    import transformers  # noqa: F401


def from_import():
    from transformers import AutoConfig

    return lambda: importlib.import_module("transformers").AutoConfig is AutoConfig


def plain_import():
    import transformers

    # What a module with this line at its top does in its functions.
    return lambda: transformers.AutoConfig


def by_importlib():
    transformers = importlib.import_module("transformers")
    return lambda: transformers.AutoConfig


ways = {
    "from transformers import AutoConfig": from_import,
    "import transformers": plain_import,
    "importlib.import_module": by_importlib,
}
outcomes = []


def outcome(call):
    try:
        call()
    except (ImportError, AttributeError) as error:
        return type(error).__name__
    return "works"


def second(name):
    while "transformers" not in sys.modules:
        time.sleep(0.001)
    try:
        use = ways[name]()
    except ImportError as error:
        outcomes.extend([type(error).__name__, outcome(ways[name])])
    else:
        outcomes.extend([outcome(use), outcome(use)])


threads = [threading.Thread(target=first), threading.Thread(target=second, args=(sys.argv[1],))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"{sys.argv[1]}: {outcomes[0]}, again: {outcomes[1]}")
PYTHON
# That torch is not there, and need not be, is told on the other stream.
seen=$(for way in "from transformers import AutoConfig" "import transformers" "importlib.import_module"; do
    "$folder/venv/bin/python" "$folder/import.py" "$way" 2>/dev/null
done)
echo "$seen"
[ "$seen" = "from transformers import AutoConfig: ImportError, again: works
import transformers: AttributeError, again: AttributeError
importlib.import_module: works, again: works" ]
