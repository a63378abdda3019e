"""Composites in the forms of detectors and segmenters, read back by code that shares nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image
from pycocotools.coco import COCO

from naturalize.artefact import Artefact, open_artefact
from naturalize.compose.export import export_composites
from naturalize.compose.make_composites import make_composites
from naturalize.compose.recipe import load_recipe
from naturalize.compose.rle import compressed, run_lengths
from naturalize.cutouts.bank import CutoutBank
from naturalize.datasets.coco import read_coco
from naturalize.datasets.manifest import read_table
from naturalize.errors import ImageError, InputError
from naturalize.geometry import Box

Bools = NDArray[np.bool_]
CROWDED = {"layout": "random", "overlap": 0.4, "red_cells": 24, "platelets": 2}


@pytest.fixture(scope="module", params=["transmittance", "alpha"])
def crowded(bank: Artefact, home: Path, request: pytest.FixtureRequest) -> Artefact:
    recipe = load_recipe("recomposed").model_copy(update={**CROWDED, "blend": request.param})
    return make_composites(bank, home / f"crowded-{request.param}", recipe=recipe, count=6, seed=2)


@pytest.fixture(scope="module")
def loaded(bank: Artefact) -> CutoutBank:
    return CutoutBank.load(bank)


def records(composites: Artefact) -> list[dict[str, Any]]:
    text = (composites.path / "records.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def whole_masks(scene: dict[str, Any], bank: CutoutBank) -> list[Bools]:
    """Draw each object alone on a canvas with a wide margin, then cut the canvas out."""
    margin, masks = 400, []
    for placed in scene["placements"]:
        mask = np.rot90(bank.cutout(placed["cutout"]).mask, placed["turns"])
        mask = mask[:, ::-1] if placed["flip"] else mask
        wide = np.zeros((scene["height_px"] + 2 * margin, scene["width_px"] + 2 * margin), bool)
        top, left = placed["top"] + margin, placed["left"] + margin
        wide[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
        masks.append(wide[margin:-margin, margin:-margin])
    return masks


def decoded(segmentation: dict[str, Any]) -> Bools:
    """Read compressed run lengths the way their description says, one character at a time."""
    runs: list[int] = []
    value = shift = 0
    for character in segmentation["counts"]:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            value -= (1 << shift) if bits & 0x10 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    height, width = segmentation["size"]
    return flat.reshape(width, height).T


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_run_lengths_round_trip(share: float) -> None:
    rng = np.random.default_rng(3)
    for height, width, top, left in [(1, 1, 0, 0), (40, 3, 5, 9), (33, 90, 0, 0), (5, 7, 62, 93)]:
        pixels = rng.random((height, width)) < share
        image = np.zeros((67 if height < 67 else height, 100), bool)
        image[top : top + height, left : left + width] = pixels
        lengths = run_lengths(pixels, Box(top, left, height, width), image.shape)
        text = compressed(lengths)
        assert (decoded({"counts": text, "size": image.shape}) == image).all()
        assert sum(lengths) == image.size
        assert all(lengths[1:])


def test_coco_holds_every_object_that_is_seen(
    crowded: Artefact, loaded: CutoutBank, tmp_path: Path
) -> None:
    made = export_composites(crowded, tmp_path / "coco", form="coco")
    content = json.loads((made.path / "annotations.json").read_text())
    names = {entry["id"]: entry["name"] for entry in content["categories"]}
    assert [entry["id"] for entry in content["annotations"]] == list(
        range(1, len(content["annotations"]) + 1)
    )
    light_multiplies = crowded.manifest["parameters"]["recipe"]["blend"] == "transmittance"
    shared = 0
    for image, record in zip(content["images"], records(crowded), strict=True):
        assert image["file_name"] == record["file"]
        data = (made.path / record["file"]).read_bytes()
        assert data == (crowded.path / record["file"]).read_bytes()
        masks = whole_masks(record["scene"], loaded)
        shared += (np.sum(masks, axis=0) > 1).sum()
        seen = {}
        for number, mask in enumerate(masks, start=1):
            hidden = np.zeros_like(mask) if light_multiplies else np.any(masks[number:], axis=0)
            seen[number] = mask & ~hidden
        own = [a for a in content["annotations"] if a["image_id"] == image["id"]]
        assert {a["number"] for a in own} == {n for n, mask in seen.items() if mask.any()}
        for entry in own:
            mask = seen[entry["number"]]
            assert (decoded(entry["segmentation"]) == mask).all()
            rows, columns = np.nonzero(mask)
            x, y, width, height = entry["bbox"]
            assert (x, y) == (columns.min(), rows.min())
            assert (x + width - 1, y + height - 1) == (columns.max(), rows.max())
            assert entry["area"] == mask.sum()
            row = loaded.by_id[record["scene"]["placements"][entry["number"] - 1]["cutout"]]
            assert names[entry["category_id"]] == (row.label or row.kind)
    assert shared > 100  # cells do lie over one another


def test_label_maps_are_disjoint_with_the_later_object_on_top(
    crowded: Artefact, loaded: CutoutBank, tmp_path: Path
) -> None:
    made = export_composites(crowded, tmp_path / "maps", form="label-map")
    table = read_table(made.path / "objects.csv")
    for record in records(crowded):
        own = [row for row in table if row["file"] == record["file"]]
        with Image.open(made.path / own[0]["label_map"]) as picture:
            assert picture.mode == "I;16"
            labels = np.asarray(picture)
        expected = np.zeros(labels.shape, int)
        for number, mask in enumerate(whole_masks(record["scene"], loaded), start=1):
            expected[mask] = number
        assert (labels == expected).all()
        assert [int(row["number"]) for row in own] == sorted(set(np.unique(labels)) - {0})
        for row in own:
            assert int(row["area_px"]) == (labels == int(row["number"])).sum()
        assert own[0]["category"] == record["scene"]["label"]


def test_yolo_has_the_boxes_of_coco(composites: Artefact, tmp_path: Path) -> None:
    yolo = export_composites(composites, tmp_path / "yolo", form="yolo")
    coco = export_composites(composites, tmp_path / "coco", form="coco")
    content = json.loads((coco.path / "annotations.json").read_text())
    about = yaml.safe_load((yolo.path / "data.yaml").read_text())
    assert "val" not in about
    assert (yolo.path / about["path"] / about["train"]).is_dir()
    names = {entry["id"]: entry["name"] for entry in content["categories"]}
    for image in content["images"]:
        assert (yolo.path / image["file_name"]).is_file()
        text = (yolo.path / image["file_name"].replace("images/", "labels/")).with_suffix(".txt")
        own = [a for a in content["annotations"] if a["image_id"] == image["id"]]
        for line, entry in zip(text.read_text().splitlines(), own, strict=True):
            number, *shares = line.split()
            assert about["names"][int(number)] == names[entry["category_id"]]
            x, y, w, h = (float(share) for share in shares)
            box = [x - w / 2, y - h / 2, w, h]
            scale = [image["width"], image["height"]] * 2
            assert np.allclose(np.multiply(box, scale), entry["bbox"], atol=1e-3)


# pycocotools 2.0.11 hands numpy an array in the manner of numpy 1.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_pycocotools_reads_what_was_written(
    crowded: Artefact, loaded: CutoutBank, tmp_path: Path
) -> None:
    made = export_composites(crowded, tmp_path / "coco", form="coco")
    coco = COCO(str(made.path / "annotations.json"))
    assert {entry["name"] for entry in coco.loadCats(coco.getCatIds())} >= {"RBC", "PLT", "BA"}
    for record in records(crowded):
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[record["index"] + 1]))
        masks = whole_masks(record["scene"], loaded)
        union = np.zeros(masks[0].shape, bool)
        for entry in annotations:
            mask = coco.annToMask(entry).astype(bool)
            assert mask.shape == union.shape
            assert mask.sum() == entry["area"]
            assert not (mask & ~masks[entry["number"] - 1]).any()
            rows, columns = np.nonzero(mask)
            assert entry["bbox"][:2] == [columns.min(), rows.min()]
            union |= mask
        assert (union == np.any(masks, axis=0)).all()


def test_the_projects_own_import_reads_the_boxes(composites: Artefact, tmp_path: Path) -> None:
    made = export_composites(composites, tmp_path / "coco", form="coco")
    fields, aside = read_coco(made.path, _names(made.path))
    assert [name for name, *_ in aside] == ["manifest.json"]
    assert len(fields) == 22
    assert sum(len(field.boxes) for field in fields) == sum(made.summary["counts"].values())


def _names(folder: Path) -> list[str]:
    return [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file()]


def test_interrupted_export_resumes_and_workers_change_nothing(
    composites: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(items, total, what):  # type: ignore[no-untyped-def]
        yield next(iter(items))
        raise KeyboardInterrupt

    whole = export_composites(composites, tmp_path / "whole", form="coco")
    monkeypatch.setattr("naturalize.compose.export.CHUNK", 8)
    with pytest.raises(KeyboardInterrupt):
        export_composites(composites, tmp_path / "out", form="coco", track=cut_off)
    assert not (tmp_path / "out").exists()
    again = {"form": "coco", "workers": 2, "if_exists": "resume"}
    assert export_composites(composites, tmp_path / "out", **again).id == whole.id  # type: ignore[arg-type]


def test_an_image_that_is_not_the_recorded_one_is_refused(
    composites: Artefact, tmp_path: Path
) -> None:
    copy = composites.path.parent / "composites copy"
    shutil.copytree(composites.path, copy)
    first, second, *_ = sorted(copy.rglob("*.jpg"))
    shutil.copy(second, first)
    with pytest.raises(ImageError, match=r"expected the composite of its record, got other pixels"):
        export_composites(open_artefact(copy), tmp_path / "x", form="yolo")
    with pytest.raises(InputError, match="--as: expected coco or yolo or label-map, got voc"):
        export_composites(composites, tmp_path / "x", form="voc")
    assert list(tmp_path.iterdir()) == []


def test_command_line(composites: Artefact, bank: Artefact, tmp_path: Path) -> None:
    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "naturalize", "export", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    out = tmp_path / "o"
    done = run(composites.path, "--as", "coco", "-o", out, "--json", "--workers", 1)
    assert json.loads(done.stdout)["summary"]["images"] == 22
    for words, says in [
        ((composites.path, "-o", tmp_path / "p"), "--as: expected coco or yolo or label-map"),
        ((bank.path, "--as", "coco", "-o", tmp_path / "p"), "--as: expected none for a bank"),
    ]:
        done = run(*words)
        assert done.returncode == 2
        assert says in done.stderr
