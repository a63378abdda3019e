"""The wheel as a user installs it: core dependencies only, no torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*words: object) -> str:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def bin_(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, install it into an environment of its own, return that one's bin."""
    home = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "src" / "naturalize", home / "source" / "src" / "naturalize")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, home / "source")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    run(*build, "--outdir", home / "dist", home / "source")
    (wheel,) = (home / "dist").glob("naturalize-*.whl")
    venv.create(home / "env", with_pip=True)
    pip = [home / "env" / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "-q"]
    run(*pip, "install", wheel, "--constraint", ROOT / "constraints.txt")
    return home / "env" / "bin"


def test_help_and_compose_work_without_torch(bin_: Path, tmp_path: Path) -> None:
    absent = "import importlib.util as u; print(u.find_spec('torch'))"
    assert run(bin_ / "python", "-c", absent).strip() == "None"
    naturalize = bin_ / "naturalize"
    assert "compose" in run(naturalize, "--help")
    steps = (
        ("phantom", "--count", 33, "-o", tmp_path / "dataset"),
        ("curate", tmp_path / "dataset", "-o", tmp_path / "curated"),
        ("split", tmp_path / "curated", "-o", tmp_path / "split"),
        ("cut", tmp_path / "split", "-o", tmp_path / "bank", "--workers", 1),
        ("compose", tmp_path / "bank", "--count", 11, "-o", tmp_path / "composites"),
    )
    for step in steps:
        run(naturalize, *step)
    assert len(list((tmp_path / "composites" / "images").rglob("*.jpg"))) == 11
    replayed = run(naturalize, "compose", tmp_path / "composites", "--replay")
    assert "all 11 composites" in replayed
    run(naturalize, "predict", tmp_path / "composites" / "images", "-o", tmp_path / "cells.csv")
    assert (tmp_path / "cells.csv").read_text().count("\n") == 12


def test_training_says_what_is_missing(bin_: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [bin_ / "naturalize", "demo", "-o", tmp_path / "demo"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'naturalize[train]'" in done.stderr
    assert not (tmp_path / "demo").exists()
