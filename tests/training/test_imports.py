"""What scripts import of one another: no circle, and none that trains past the shared loop."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "training"
TREES = {file.stem: ast.parse(file.read_text("utf-8")) for file in FOLDER.rglob("*.py")}


def imported(tree):
    """Return the modules of training/ that a module imports, inside functions too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "training":
            package = FOLDER.parent.joinpath(*node.module.split("."))
            found |= {one.name for one in node.names if (package / f"{one.name}.py").exists()}
            found.add(node.module.split(".")[-1])
        elif isinstance(node, ast.Import):
            found |= {one.name.split(".")[-1] for one in node.names if one.name.startswith("training.")}
    return found & set(TREES)


def test_imports_form_no_circle():
    graph = {name: imported(tree) for name, tree in TREES.items()}
    assert graph["story_chat"] >= {"chat_cards", "chat_marks", "loop"}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert order.index("chat_marks") < order.index("chat_cards") < order.index("story_chat")


def test_every_script_that_trains_goes_through_the_loop():
    trains = {name for name, tree in TREES.items() if "--minutes" in (ast.get_docstring(tree) or "")}
    assert len(trains) >= 12
    for name in trains:
        assert "loop" in imported(TREES[name]), name
        code = ast.unparse(TREES[name])
        assert "loop.Run(" in code or ("denoising" in imported(TREES[name]) and " fit(" in code), name
    assert "loop.Run(" in ast.unparse(TREES["denoising"])


def test_no_script_reads_the_clock_or_writes_checkpoints_itself():
    for name, tree in TREES.items():
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        if name != "loop":
            assert not calls & {"time.perf_counter", "time.monotonic", "time.time", "torch.save", "torch.load"}, name
