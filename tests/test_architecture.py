"""The tree keeps its shape: imports go one way, heavy packages stay where they belong."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "naturalize"

# A package may import what stands above it, and itself.
LAYERS = (
    {"errors"},
    {"geometry", "seeds", "progress", "quantiles"},
    {"images", "artefact", "predictions", "workers"},
    {"optics"},
    {"page", "segment"},
    {"datasets"},
    {"curate"},
    {"split"},
    {"cutouts"},
    {"compose"},
    {"train", "evaluate"},
    {"audit", "explain", "teach", "classify"},
    {"report"},
    {"study", "calibrate"},
    {"cli"},
    {"__main__"},
)
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}
# Heavy packages may be imported at the top of these files alone.
HEAVY = {
    "torch": (
        "train/",
        "explain/",
        "teach/learn.py",
        "teach/network.py",
        "audit/frozen_probe.py",
        "audit/crop_probe.py",
        "audit/make_shortcuts.py",
        "segment/sam_model.py",
    ),
    "torchvision": ("train/",),
    "timm": ("train/",),
    "accelerate": ("train/",),
    "safetensors": ("train/", "segment/sam_model.py"),
    "transformers": ("segment/sam_model.py",),
    "huggingface_hub": (),
    "onnxruntime": (),
}
# Nobody may import these at the top: they need what may not be installed.
LAZY = {"naturalize.segment.sam_model"}
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


def package(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each imported module and whether the import stands at the top of the file."""
    tree = ast.parse(path.read_text())
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, id(node) in top
        elif isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, id(node) in top


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    here = package(path)
    for module, _ in imports(path):
        parts = module.split(".")
        if parts[0] == "naturalize" and len(parts) > 1 and parts[1] != here:
            assert LAYER_OF[parts[1]] < LAYER_OF[here], f"{here} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_heavy_packages_stay_where_they_belong(path: Path) -> None:
    here = path.relative_to(SOURCE).as_posix()
    for module, at_top in imports(path):
        homes = HEAVY.get(module.split(".")[0], ("",))
        assert here.startswith(homes) or not at_top, f"{here} imports {module} at its top"
        assert module not in LAZY or not at_top, f"{here} imports {module} at its top"


def test_files_and_functions_stay_small() -> None:
    for path in MODULES:
        text = path.read_text()
        assert text.count("\n") <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.body[0].lineno < 60, f"{path}: {node.name}"


def test_readme_gives_the_two_commands_and_its_example_runs() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme
    assert "make test" in readme
    (example,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    scope: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), scope)
    assert getattr(scope["image"], "shape", None) == (363, 360, 3)
