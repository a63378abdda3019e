"""The cutouts of a bank as transparent pictures in folders."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from naturalize.artefact import Artefact
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.export import export_cutouts, file_names
from naturalize.datasets.manifest import read_sample, read_table
from naturalize.errors import InputError
from naturalize.split.split import RealSplit

PAPER = ("RBC", "BNE", "MMY", "MY", "PMY", "SNE")


@pytest.fixture(scope="module")
def exported(bank: Artefact, home: Path) -> Artefact:
    return export_cutouts(bank, home / "export")


def test_every_cutout_is_a_picture_in_the_folder_of_its_class(
    exported: Artefact, bank: Artefact
) -> None:
    table = read_table(exported.path / "cutouts.csv")
    loaded = CutoutBank.load(bank)
    assert {row["cutout_id"] for row in table} == set(loaded.by_id)
    files = sorted(p.relative_to(exported.path).as_posix() for p in exported.path.rglob("*.png"))
    assert files == [row["file"] for row in table]
    for row in table:
        of_bank = loaded.by_id[row["cutout_id"]]
        assert row["file"].split("/")[0] == row["class"] == (of_bank.label or of_bank.kind)
        assert row["sample_sha256"] == loaded.donor_by_id[row["sample_id"]].sha256
        assert Path(row["sample_id"]).stem in row["file"]
    counts = exported.summary["counts"]
    assert counts["RBC"] == len(loaded.bystanders["RBC"][0])
    assert sum(counts.values()) == len(table)


def test_a_picture_shows_the_donors_pixels_and_nothing_else(
    exported: Artefact, bank: Artefact, split: Artefact
) -> None:
    loaded, real = CutoutBank.load(bank), RealSplit.load(split)
    samples = {sample.id: sample for sample in real.train}
    for row in read_table(exported.path / "cutouts.csv")[::9]:
        with Image.open(exported.path / row["file"]) as picture:
            assert picture.mode == "RGBA"
            rgba = np.asarray(picture)
        own = rgba[..., 3] == 255
        assert set(np.unique(rgba[..., 3])) <= {0, 255}
        assert not rgba[~own].any()
        for side in (own[0], own[-1], own[:, 0], own[:, -1]):
            assert side.any()
        donor = read_sample(real.root, samples[row["sample_id"]])
        top, left, height, width = (int(row[k]) for k in ("top", "left", "height", "width"))
        assert (donor[top : top + height, left : left + width][own] == rgba[own][:, :3]).all()
        assert own.sum() == loaded.by_id[row["cutout_id"]].area_px


def test_classes_are_chosen(bank: Artefact, tmp_path: Path) -> None:
    made = export_cutouts(bank, tmp_path / "crops", classes=PAPER)
    folders = {path.name for path in made.path.iterdir() if path.is_dir()}
    assert folders == {label for label, count in made.summary["counts"].items() if count}
    assert folders <= set(PAPER)
    assert list(made.summary["counts"]) == list(PAPER)
    subjects = bank.summary["subjects"]
    assert [made.summary["counts"][label] for label in PAPER[1:]] == [
        subjects[label] for label in PAPER[1:]
    ]


@pytest.mark.parametrize(("classes", "got"), [(["BNE", "XYZ"], "got XYZ"), ([], "got none")])
def test_unknown_classes_are_refused(
    bank: Artefact, tmp_path: Path, classes: list[str], got: str
) -> None:
    with pytest.raises(InputError, match=f"--classes: expected some of .*RBC.*{got}"):
        export_cutouts(bank, tmp_path / "x", classes=classes)
    assert not (tmp_path / "x").exists()


def test_names_stay_apart_where_donors_share_one(bank: Artefact) -> None:
    loaded = CutoutBank.load(bank)
    one, other = loaded.donors[:2]
    twins = (
        replace(one, sample_id="a/Cell.jpg", sha256="1" * 64),
        replace(other, sample_id="b/cell.png", sha256="2" * 64),
    )
    row = next(row for row in loaded.rows if not row.label)
    rows = tuple(replace(row, id=f"{d.sample_id}#7", sample_id=d.sample_id) for d in twins)
    assert file_names(replace(loaded, donors=twins, rows=rows)) == {
        "a/Cell.jpg#7": f"{row.kind}/Cell-11111111-007.png",
        "b/cell.png#7": f"{row.kind}/cell-22222222-007.png",
    }


def test_interrupted_export_resumes_and_workers_change_nothing(
    exported: Artefact, bank: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(items, total, what):  # type: ignore[no-untyped-def]
        yield next(iter(items))
        raise KeyboardInterrupt

    monkeypatch.setattr("naturalize.cutouts.export.CHUNK", 40)
    with pytest.raises(KeyboardInterrupt):
        export_cutouts(bank, tmp_path / "out", track=cut_off)
    assert not (tmp_path / "out").exists()
    first = next((tmp_path / ".out.partial").rglob("*.png"))
    written, name = first.stat().st_mtime_ns, first.relative_to(tmp_path / ".out.partial")
    resumed = export_cutouts(bank, tmp_path / "out", workers=2, if_exists="resume")
    assert resumed.id == exported.id
    assert (resumed.path / name).stat().st_mtime_ns == written


def test_command_line(bank: Artefact, tmp_path: Path) -> None:
    words = ["export", str(bank.path), "--classes", "RBC, PLT", "-o", str(tmp_path / "o"), "--json"]
    command = [sys.executable, "-m", "naturalize", *words, "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert list(json.loads(done.stdout)["summary"]["counts"]) == ["RBC", "PLT"]
