"""What must never be, read from the source: who imports whom, what `swirl --help` loads, what files may say."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from swirl.cli import build_parser

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "transformers", "trl", "peft", "accelerate", "datasets"}
# Modules that a browser page or a quick command imports; none may load torch.
LIGHT = (
    "swirl",
    "swirl.cli",
    "swirl.devices",
    "swirl.history",
    "swirl.methods",
    "swirl.models",
    "swirl.models.checkpoints",
    "swirl.paths",
    "swirl.presets",
    "swirl.runs.jobs",
    "swirl.runs.machine_benchmark",
    "swirl.runs.worker",
    "swirl.settings",
    "swirl.sharing.space",
    "swirl.sources",
    "swirl.sources.collections.catalog",
    "swirl.states",
    "swirl.training.memory_check",
    "swirl.worlds",
    "swirl.worlds.registry",
    "studio.services.inference",
)
KNOWN_TO_ALL = (
    "devices",
    "errors",
    "methods",
    "paths",
    "pictures",
    "processes",
    "progress",
    "settings",
    "states",
    "text_units",
    "library_imports",
    "version",
)
ROOMS = (
    "history",
    "sources",
    "worlds",
    "codecs",
    "models",
    "presets",
    "training",
    "evaluation",
    "planning",
    "exports",
    "runs",
    "library",
    "sharing",
    "recipes",
    "experiments",
    "cli",
)
"""The rooms of `swirl` in the order in which data flow: each imports from those before it, and from its own."""
STUDIO_ROOMS = ("view_models", "services", "components", "pages", "server", "app", "serve")
"""The same of `studio`, which may import all of `swirl`."""
FORMER_NAMES = {
    "alternate",
    "answering",
    "asked",
    "beside",
    "bring",
    "card",
    "checked",
    "checking",
    "checks",
    "choosing",
    "closer",
    "codec_training",
    "compared",
    "comparing",
    "copier",
    "drafting",
    "drafts",
    "fitting",
    "folding",
    "front",
    "glance",
    "imagining",
    "installable",
    "items",
    "keeping",
    "kept",
    "kinds",
    "likeness",
    "lines",
    "looks",
    "machine",
    "measuring",
    "members",
    "monitor",
    "offering",
    "pace",
    "picking",
    "plan",
    "practice",
    "preflight",
    "push",
    "queue",
    "ranks",
    "recipe",
    "recorded",
    "removal",
    "reporting",
    "rows",
    "running",
    "shelf",
    "sidecar",
    "small_base",
    "soundness",
    "storing",
    "trouble",
    "turns",
    "verdict",
    "voting",
    "waiting",
    "warmup",
    "watch",
    "whole",
    "wording",
}
"""Names that files had before they were given the field's words; none comes back."""


def sources(*packages: str) -> list[Path]:
    """The Python files of the packages."""
    found = [file for package in packages for file in sorted((ROOT / package).rglob("*.py"))]
    assert found
    return found


def imports(file: Path, *, top_level_only: bool = False) -> set[str]:
    """The dotted names of the modules that a file imports; those under TYPE_CHECKING do not count."""
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
        if top_level_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            node.body = [] if isinstance(node.body, list) else ast.Constant(None)
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports are hard to follow; write the full name"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def within(names: set[str], *roots: str) -> set[str]:
    """Those names that are one of the roots or lie below it."""
    return {name for name in names for root in roots if name == root or name.startswith(root + ".")}


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", sources("swirl"), ids=named)
def test_the_method_knows_no_screen(file: Path) -> None:
    assert not within(imports(file), "gradio", "studio", "plotly")


@pytest.mark.parametrize("file", sources("studio"), ids=named)
def test_the_screen_knows_no_tensor(file: Path) -> None:
    assert not within(imports(file, top_level_only=True), *HEAVY)


@pytest.mark.parametrize("file", sources("studio/pages"), ids=named)
def test_no_page_imports_a_page(file: Path) -> None:
    assert not within(imports(file), "studio.pages")


@pytest.mark.parametrize("file", [*sources("swirl", "studio"), ROOT / "launch.py"], ids=named)
def test_the_history_is_the_only_door_to_sqlite(file: Path) -> None:
    inside = (ROOT / "swirl" / "history") in file.parents
    assert inside or not within(imports(file), "sqlite3", "sqlite_utils")


def module_of(file: Path) -> str:
    """The dotted name under which a file is imported."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file): file for file in sources("swirl", "studio")}


def imported_modules(file: Path) -> set[str]:
    """The project's own modules that a file imports, at its top or inside a function."""
    found = set()
    for name in imports(file):
        parts = name.split(".")
        found |= {next((m for n in range(len(parts), 0, -1) if (m := ".".join(parts[:n])) in MODULES), "")}
    return {name for name in found if name and name != module_of(file)}


GRAPH = {module: imported_modules(file) for module, file in MODULES.items()}
# A package's `__init__` is what its importer asked for something in it by, not a module that it needs as a whole.
for wanted in GRAPH.values():
    wanted -= {name for name in wanted if any(other.startswith(name + ".") for other in wanted)}


def place(module: str) -> int:
    """How far down the flow a module is: what all know comes first, then its room's number."""
    package, _, rest = module.partition(".")
    room = rest.partition(".")[0]
    if package == "studio":
        return STUDIO_ROOMS.index(room) if room else -1
    return -1 if room in KNOWN_TO_ALL else ROOMS.index(room)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_data_flow_from_room_to_room_and_never_back(module: str) -> None:
    if module in ("swirl", "swirl.__main__", "studio"):
        return
    package = module.partition(".")[0]
    ahead = {name for name in GRAPH[module] if name.startswith(package + ".") and place(name) > place(module)}
    assert not ahead


def test_every_room_is_on_the_list_and_has_a_sentence() -> None:
    for package, rooms in (("swirl", (*KNOWN_TO_ALL, *ROOMS)), ("studio", STUDIO_ROOMS)):
        there = {
            path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
        }
        assert {name for name in there if not name.startswith("__")} == set(rooms)
    for file in sources("swirl", "studio"):
        assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), f"{named(file)} does not say what it is"


def test_no_files_import_each_other_in_a_circle() -> None:
    state: dict[str, str] = {}

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert state.get(module) != "open", " -> ".join((*path[path.index(module) :], module))
        if module in state:
            return
        state[module] = "open"
        for name in sorted(GRAPH[module]):
            visit(name, (*path, module))
        state[module] = "done"

    for module in sorted(GRAPH):
        visit(module, ())


def test_no_file_has_a_name_of_old() -> None:
    assert {file.stem for file in sources("swirl", "studio")} & FORMER_NAMES == set()


def reached(start: str) -> set[str]:
    """Every module of the project that a module imports, and what those import, and so on."""
    found, waiting = set(), [start]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += GRAPH[module]
    return found


@pytest.mark.parametrize("module", [name for name in sorted(MODULES) if name.startswith("swirl.training.")])
def test_training_never_reaches_true_actions(module: str) -> None:
    assert "swirl.evaluation.true_actions" not in reached(module)
    assert "actions.jsonl" not in MODULES[module].read_text(encoding="utf-8")


@pytest.mark.parametrize("module", [name for name in sorted(MODULES) if name.startswith("swirl.training.")])
def test_training_never_reaches_a_simulator(module: str) -> None:
    """What really happens is opened by evaluation, by plans that are carried out, and on request."""
    assert {name for name in reached(module) if name.startswith(("swirl.worlds", "swirl.planning"))} == set()


@pytest.mark.parametrize("module", [f"swirl.planning.{name}" for name in ("search", "proposals", "goals")])
def test_a_search_in_imagination_never_reaches_a_simulator(module: str) -> None:
    assert {name for name in reached(module) if name.startswith("swirl.worlds")} == set()
    assert "swirl.evaluation.true_actions" not in reached(module)


@pytest.mark.parametrize("module", LIGHT)
def test_torch_waits_until_a_model_is_needed(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_every_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = project["dependencies"] + extras["worlds"] + extras["llm"] + extras["data"]
    allowed = {re.split(r"[<>=~!\[; ]", name)[0].replace("-", "_").lower() for name in declared}
    # Brought by those that need them: httpx by the Hub's client, pyarrow by datasets.
    allowed |= {"httpx", "pyarrow"}
    # Likewise py4j by scienceworld, scipy by scikit-image, the others by transformers.
    allowed |= {"swirl", "studio", "huggingface_hub", "py4j", "scipy", "selenium", "tokenizers", "yaml"}
    allowed |= {"PIL", "skimage", "sklearn"}  # import names of pillow, scikit-image and scikit-learn
    allowed |= set(sys.stdlib_module_names)
    optional = {"bitsandbytes", "deepspeed", "lpips", "spaces"}
    used = {name.partition(".")[0] for file in sources("swirl", "studio") for name in imports(file)}
    assert used - allowed - optional == set()


def test_the_constraints_pin_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [name for group in project["optional-dependencies"].values() for name in group]
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[0-9][a-z0-9.]*", line) for line in lines), "exact versions only"
    pinned = {line.partition("==")[0] for line in lines}
    wanted = {re.split(r"[<>=~!\[; ]", name)[0] for name in project["dependencies"] + extras}
    assert wanted - pinned == set()
    assert "torch==2.13.0" in lines


def commands() -> dict[str, object]:
    """The command line's commands by name."""
    return next(action.choices for action in build_parser()._actions if action.dest == "command")


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert {name for name in commands() if f"`swirl {name}" not in text} == set()


def test_the_architecture_page_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = [path for package in ("swirl", "studio") for path in (ROOT / package).iterdir()]
    expected = {f"{path.name}/" if path.is_dir() else path.name for path in rooms if not path.name.startswith("_")}
    assert {name for name in expected if name not in text} == set()


def test_the_ways_through_the_code_are_the_codes_own() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    ways = text.partition("## Three ways through the code")[2].split("\n### ")[1:]
    assert len(ways) == 3
    for way in ways:
        hops = re.findall(r"^\d+\. `([^`]+)`(?: · `(\w+)`)?:", way, re.M)
        assert 1 < len(hops) <= 10
        for path, symbol in hops:
            code = (ROOT / path).read_text(encoding="utf-8")
            assert not symbol or re.search(rf"^(?:def|class) {symbol}\b|^{symbol} = ", code, re.M), f"{path}: {symbol}"


def test_the_readme_links_to_every_document() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*") if path.suffix in {".md", ".ipynb"}}
    reached = "".join((ROOT / page).read_text(encoding="utf-8") for page in pages if page.endswith(".md")) + text
    assert {page for page in pages if page not in text and page.removeprefix("docs/") not in reached} == set()


def tracked() -> list[Path]:
    """The text files in git, or, outside a clone, those that would be."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git clone")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.is_file() and file.suffix not in {".gif", ".png", ".safetensors", ".zip"}]


def test_no_file_tells_about_the_machine_it_was_written_on() -> None:
    # Put together here, so that this file does not find itself.
    hosts = [("files", "pythonhosted"), ("pypi", "org"), ("download", "pytorch"), ("registry", "npmjs")]
    folders = [("", "work", ""), ("", "opt", "venv"), ("", "root", "")]
    told = re.compile("|".join([re.escape(".".join(host)) for host in hosts] + ["/".join(path) for path in folders]))
    found = [
        f"{named(file)}:{number}: {line.strip()[:80]}"
        for file in tracked()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if told.search(line)
    ]
    assert found == []
