"""The house, proved from the imports: who stands on whom, one door for a heavy library, few files at the root."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "rlhf_kit"

# A file imports from lower floors. On one floor only what `NEIGHBOURS` and a common folder allow.
FLOORS = {
    "formulas": 0, "language": 0, "network": 0, "storage": 0,
    "models": 1, "tasks": 1, "datasets": 1,
    "engine": 2, "sampling": 2, "rewards": 2, "loops": 2,
    "methods": 3, "evaluate": 3, "attribution": 3,
    "zoo": 4, "recipes": 4,
    "scale": 5, "plots": 5, "runs": 5, "labels": 5,
    "jobs": 6, "studies": 6, "doctor": 6, "classroom": 6,
    "studio": 7,
    "commands": 8, "cli": 9, "start": 9,
}
NEIGHBOURS = {("formulas", "language"), ("tasks", "datasets"), ("sampling", "engine"), ("loops", "engine"),
              ("loops", "sampling"), ("loops", "rewards"), ("recipes", "zoo"), ("plots", "scale"), ("runs", "plots"),
              ("studies", "jobs")}
FOLDERS_WITHOUT_NEIGHBOURS = {"methods", "recipes"}          # methods do not import each other, nor recipes,
SHARED = {"recipes.learners"}                                # but for what is none of them and serves them all
AT_THE_ROOT = 12                                             # files beside the folders, at most

DOORS = {
    "trl": {"methods/trl_bridge"},
    "peft": {"models/adapters.py"}, "bitsandbytes": {"models/quantization.py"},
    "markdownify": {"datasets/stack_exchange/markdown.py"},
    "datasets": {"datasets/stack_exchange/paired.py", "methods/trl_bridge"},
    "matplotlib": {"plots.py"},
    "trackio": {"runs/trackers.py"}, "tensorboard": {"runs/trackers.py"}, "wandb": {"runs/trackers.py"},
    "gradio": {"studio"}, "ipywidgets": {"studies/sliders.py"},
    "sacrebleu": {"tasks/translation/overlap.py"},
}

# Behind walls: that is what they are for.
RUNS_CODE = {"classroom.grading.worker": {"exec"}, "classroom.grading.picking": {"exec"}}

FILES = sorted(PACKAGE.rglob("*.py"))


def module(path: Path) -> str:
    """`rlhf_kit/models/text.py` -> "models.text"; a package is its folder; the front door is ""."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> set[str]:
    """Every module that a file imports, inside functions too, in full: "rlhf_kit.models.text", "torch.nn"."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import; write it in full"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = {module(path) for path in FILES}


def ours(path: Path) -> set[str]:
    """The modules of the kit that a file stands on; a name inside one counts as the module."""
    names = {name.removeprefix("rlhf_kit.") for name in imported(path) if name.startswith("rlhf_kit.")}
    assert "rlhf_kit" not in imported(path), f"{path} imports the front door; import what you need from its place"
    return {max((m for m in MODULES if f"{name}.".startswith(f"{m}." if m else "")), key=len) for name in names}


@cache
def graph() -> dict[str, set[str]]:
    """Each module with those that it stands on: read when the first test asks, not by whoever only collects tests."""
    return {module(path): ours(path) for path in FILES}


def test_the_reader_of_imports_finds_them():
    """Known imports: at the top, several in one line, a name, inside a function."""
    assert {"rewards", "zoo", "models.loading", "methods.ppo", "tasks.rankings"} <= graph()["jobs.tour"]
    assert {"commands.tour", "commands.train", "language", ""} <= graph()["cli"]
    assert "safetensors.torch.save_file" in imported(PACKAGE / "storage.py")
    assert graph()["formulas.masked"] == set()


@pytest.mark.parametrize("name", sorted(MODULES - {""}))
def test_a_file_stands_on_lower_floors(name):
    room, rooms = name.split(".")[0], {other.split(".")[0] for other in graph()[name] - {""}}
    assert room in FLOORS, f"{room} has no floor; give it one here"
    for other in rooms - {room}:
        assert FLOORS[other] < FLOORS[room] or (room, other) in NEIGHBOURS, f"{name} must not import {other}"
    if room in FOLDERS_WITHOUT_NEIGHBOURS:
        own = tuple(name.split(".")[:2])                     # a method may be a folder: methods.trl_bridge.sft
        neighbours = {other for other in graph()[name] - SHARED if other.split(".")[0] == room}
        assert all(tuple(other.split(".")[:2]) == own for other in neighbours), f"{name} must not import its neighbours"


def test_the_front_door_is_asked_for_its_constants_only():
    """`rlhf_kit/__init__` imports everything else, when asked; whoever imports from it could go round in a circle."""
    for path in FILES:
        names = {name for name in imported(path) if name.startswith("rlhf_kit.")}
        asked = {name.removeprefix("rlhf_kit.") for name in names} & {"__version__", "REPOSITORY"}
        others = {name for name in names if name.removeprefix("rlhf_kit.").split(".")[0] not in FLOORS}
        assert others == {f"rlhf_kit.{name}" for name in asked}, path


def test_there_is_no_circle():
    order = list(TopologicalSorter(graph()).static_order())    # raises CycleError with the circle
    assert order.index("formulas.records") < order.index("methods.ppo") < order.index("jobs.tour") < order.index("cli")


@pytest.mark.parametrize("library", DOORS)
def test_a_heavy_library_has_one_door(library):
    doors = {path for path in FILES if library in {name.split(".")[0] for name in imported(path)}}
    allowed = {PACKAGE / door for door in DOORS[library]}
    assert all(any(door == a or a in door.parents for a in allowed) for door in doors), doors


def test_no_room_is_a_stub():
    """Every file defines or holds something; what marks a folder as a package says what the folder is."""
    for path in FILES:
        tree = parsed(path)
        assert ast.get_docstring(tree), f"{path} does not say what it is"
        if path.name != "__init__.py":
            assert any(isinstance(n, ast.FunctionDef | ast.ClassDef | ast.Assign) for n in tree.body), f"{path}: empty"
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.Raise) and "NotImplemented" in ast.dump(node)), f"{path}:{node.lineno}"


def test_few_files_lie_at_the_root():
    assert len([path for path in FILES if path.parent == PACKAGE]) <= AT_THE_ROOT


def test_there_is_no_drawer_for_odds_and_ends():
    names = {part for path in FILES for part in Path(module(path).replace(".", "/")).parts}
    assert not names & {"utils", "util", "helpers", "helper", "common", "misc"}


def test_no_bare_except_and_no_pickle_anywhere():
    for path in FILES:
        tree = parsed(path)
        assert not [n.lineno for n in ast.walk(tree) if isinstance(n, ast.ExceptHandler) and n.type is None], path
        assert not {name.split(".")[0] for name in imported(path)} & {"pickle", "joblib", "dill", "cloudpickle"}, path
        called = [ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)]
        banned = {"torch.load", "torch.save", "eval"} | ({"exec"} - RUNS_CODE.get(module(path), set()))
        assert not set(called) & banned, path
