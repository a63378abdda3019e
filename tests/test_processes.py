"""Two processes at one training, as torchrun starts them, do what one does with their batch."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file

from naturalize.artefact import open_artefact
from naturalize.datasets.manifest import read_table
from naturalize.errors import InputError
from naturalize.predictions import Predictions
from naturalize.train.depthwise import depthwise_in_fp32
from naturalize.train.precision import resolve_precision
from naturalize.train.processes import check_shares, start_accelerator
from test_train import TINY, KillAfter, Killed, make_split, train_on_cpu

ASKED = replace(TINY, arm="strong+class-weights", budget_images=64, ema=0.9)
TOLERANCE = 1e-5
SCRIPT = """
from pathlib import Path
from naturalize.artefact import open_artefact
from naturalize.train.run import train_run
from naturalize.train.training import Training
home = Path({home!r})
split = open_artefact(home / "split")
made = [
    train_run(split, home / name, {asked!r}, device="cpu", if_exists=mode)
    for name, mode in (("two", "refuse"), ("two", "resume"), ("cut", "resume"))
]
assert len({{run.id for run in made[:2]}}) == 1
"""


def test_two_processes_equal_one_with_their_batch(tmp_path: Path) -> None:
    split = make_split(tmp_path)
    one = train_on_cpu(split, tmp_path / "one", ASKED)
    with pytest.raises(Killed):
        train_on_cpu(split, tmp_path / "cut", ASKED, track=KillAfter(3), checkpoint_every=1)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(home=str(tmp_path), asked=ASKED))
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    for name in ("two", "cut"):
        two = open_artefact(tmp_path / name, "run")
        assert two.summary["processes"] == 2
        a, b = (load_file(run.path / "model.safetensors") for run in (one, two))
        assert max(float((a[key] - b[key]).abs().max()) for key in a) < TOLERANCE
        told = [
            [float(row["loss"]) for row in read_table(r.path / "metrics.csv")] for r in (one, two)
        ]
        assert np.allclose(*told, atol=TOLERANCE)
        tests = [Predictions.load(run.path / "test.npz").probabilities for run in (one, two)]
        assert np.allclose(*tests, atol=TOLERANCE)


BF16 = """
from dataclasses import replace
from functools import partial
from pathlib import Path
from test_train import TINY, Killed, KillAfter, train_on_cpu
from naturalize.artefact import open_artefact
home = Path({home!r})
split = open_artefact(home / "split")
lite = replace(TINY, model="efficientnet-lite0", weights="random")
asked = replace(lite, budget_images=48, precision="bf16")
train = partial(train_on_cpu, split, training=asked, checkpoint_every=1)
whole = train(home / "whole")
try:
    train(home / "cut", track=KillAfter(2))
except Killed:
    pass
resumed = train(home / "cut", if_exists="resume")
assert resumed.id == whole.id
assert whole.summary["precision"] == "bf16"
"""


def test_bfloat16_on_a_cpu_killed_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    make_split(tmp_path)
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", BF16.format(home=str(tmp_path))],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr


def test_depthwise_convolutions_stay_in_float32_for_a_while() -> None:
    model = timm.create_model("tf_efficientnet_lite0", num_classes=2).eval()
    seen: dict[bool, set[torch.dtype]] = {True: set(), False: set()}
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda m, given, out: seen[m.groups == m.in_channels].add(out.dtype)
            )
    images = torch.zeros(1, 3, 32, 32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        with depthwise_in_fp32(model):
            model(images)
        assert seen == {True: {torch.float32}, False: {torch.bfloat16}}
        model(images)
    assert torch.bfloat16 in seen[True]


def test_a_process_keeps_its_precision() -> None:
    start_accelerator("cpu")
    with pytest.raises(InputError, match="what this process trained with"):
        start_accelerator("cpu", "bf16")
    with pytest.raises(InputError, match="fp32, bf16 or auto"):
        start_accelerator("cpu", "fp8")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("able", "auto"), [({"avx512_bf16": True}, "bf16"), ({"avx2": True}, "fp32")]
)
def test_auto_is_bfloat16_only_where_a_cpu_computes_in_it(
    able: dict[str, bool],
    auto: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: able)
    assert resolve_precision("auto", on_cpu=True) == auto
    assert resolve_precision(None, on_cpu=True) == "fp32"
    assert not caplog.records
    assert resolve_precision("bf16", on_cpu=True) == "bf16"
    assert ("no instructions" in caplog.text) == (auto == "fp32")


def test_a_gpu_computes_in_bfloat16_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", dict)
    found = [resolve_precision(asked, on_cpu=False) for asked in (None, "auto", "bf16", "fp32")]
    assert found == ["bf16", "bf16", "bf16", "fp32"]
    assert not caplog.records


def test_a_batch_that_cannot_be_dealt_out_evenly_is_refused() -> None:
    three = SimpleNamespace(num_processes=3)
    check_shares(three, 63)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a multiple of the 3 processes"):
        check_shares(three, 64)  # type: ignore[arg-type]
