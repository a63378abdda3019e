"""What a user sees while a network trains: a growing table, or lines where there is no terminal."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from naturalize.artefact import Artefact
from naturalize.cli.live_table import LiveTable
from naturalize.datasets.manifest import read_table
from naturalize.train.fit import Told
from naturalize.train.validation import Validated


def told(step: int, validated: Validated | None = None) -> Told:
    return Told(step, 100, step * 2.0, 1.5, 1e-3, validated)


def shown(*, terminal: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=140)
    table = LiveTable(64, console)
    first, second = Validated(20, 1.2, 0.5, 0.4321), Validated(40, 1.1, 0.6, 0.5678)
    for _ in table.track([0], 1, "training"):
        for one in (told(10), told(20, first), told(30, first), told(40, second)):
            table.watch(one)
    return stream.getvalue()


def test_a_terminal_sees_a_row_a_validation_and_the_time_left() -> None:
    last = shown(terminal=True).rsplit("images/s", 1)[-1]
    assert "0.432" in last
    assert "0.568" in last
    assert "2,560 of 6,400" in last
    assert "640 of 6,400" not in last
    assert "2:00" in last
    assert " 32 " in last


def test_elsewhere_each_validation_is_a_line() -> None:
    lines = [line for line in shown(terminal=False).splitlines() if "macro F1 0" in line]
    assert [line.rsplit(" ", 1)[-1] for line in lines] == ["0.432", "0.568"]


def test_train_tells_on_standard_error_and_keeps_json_clean(
    split: Artefact, tmp_path: Path
) -> None:
    words = ["--model", "custom-cnn", "--px", 32, "--budget", 64, "--batch", 16, "--device", "cpu"]
    words += ["--validations", 2, "--ema", 0.5, "--keep", "best", "--arm", "strong+balanced"]
    command = [sys.executable, "-m", "naturalize", "train", split.path, "-o", tmp_path / "run"]
    done = subprocess.run(
        [*map(str, [*command, *words]), "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["summary"]["weights_kept"] == "best on validation"
    assert done.stderr.count("val macro F1 0.") == 2
    rows = read_table(tmp_path / "run" / "metrics.csv")
    assert [row["val_loss"] != "" for row in rows] == [False, True, False, True]
