"""Whole fields: every cell found once, counted, drawn and exported."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from typer.testing import CliRunner

from naturalize import classify, images
from naturalize.classify.field import read_field
from naturalize.classify.reader import Reader
from naturalize.classify.tiles import field_masks
from naturalize.cli.app import app
from naturalize.datasets.phantom import render, sample_slide
from naturalize.images import Rgb
from naturalize.seeds import child
from naturalize.segment import Smear


@pytest.fixture(scope="module")
def reader() -> Reader:
    return classify.load()


def mosaic(rows: int, columns: int) -> Rgb:
    """Phantoms of one slide side by side, one nucleated cell each."""
    slide = sample_slide(child(4, "slide"))
    cells = [
        [render("LY", rng=child(n, "cell", m), slide=slide).image for m in range(columns)]
        for n in range(rows)
    ]
    return np.concatenate([np.concatenate(row, axis=1) for row in cells], axis=0)


def test_every_nucleated_cell_is_read_and_the_others_counted(reader: Reader) -> None:
    field = read_field(reader, mosaic(2, 2))
    centres = {
        ((mask.box.top + mask.box.height / 2) // 363, (mask.box.left + mask.box.width / 2) // 360)
        for mask in field.masks[: len(field.cells)]
    }
    assert len(field.cells) == len(centres) == 4
    assert sum(field.counts().values()) <= 4
    assert field.red_cells > 20
    for cell, mask in zip(field.cells, field.masks, strict=False):
        assert cell.box == mask.box
        assert mask.kind == "WBC"


def test_a_large_picture_is_cut_into_tiles_and_no_cell_is_found_twice() -> None:
    rgb = mosaic(3, 4)
    small = Smear(max_pixels=150_000)
    masks = field_masks(rgb, small)
    taken = np.zeros(rgb.shape[:2], int)
    for mask in masks:
        if "overlap" not in mask.reasons:
            taken += mask.to_image(rgb.shape)
    assert sum(mask.kind == "WBC" for mask in masks) == 12
    assert taken.max() == 1
    for one, other in combinations(masks, 2):
        if one.box.meets(other.box):
            both = np.count_nonzero(one.to_image(rgb.shape) & other.to_image(rgb.shape))
            assert both < 0.5 * (one.area_px + other.area_px - both)
    assert not any(m.touches_border for m in masks if m.kind == "WBC")


# pycocotools 2.0.11 hands numpy an array in the manner of numpy 1.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_files_of_fields_hold_the_same_cells(tmp_path: Path, reader: Reader) -> None:
    home = tmp_path / "fields"
    home.mkdir()
    rgb = mosaic(1, 2)
    (home / "a.png").write_bytes(images.encode_png(rgb))
    (home / "b.txt").write_text("no picture")
    done = CliRunner().invoke(
        app, ["predict", str(home), "--field", "-o", str(tmp_path / "out.csv")]
    )
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "out.json").read_text())
    cells = [cell for cell in told["cells"] if cell["path"] == "a.png"]
    assert told["differential"]["too_few"]
    assert [cell["path"] for cell in told["cells"]][-1] == "b.txt"
    with redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "out.coco.json"))
    field = read_field(reader, rgb)
    found = coco.loadAnns(coco.getAnnIds())
    assert len(found) == len(field.masks)
    for one, mask in zip(found, field.masks, strict=True):
        pixels = coco_mask.decode(one["segmentation"])
        assert np.array_equal(pixels > 0, mask.to_image(rgb.shape))
    names = {one["id"]: one["name"] for one in coco.loadCats(coco.getCatIds())}
    assert [names[one["category_id"]] for one in found[: len(cells)]] == [c["label"] for c in cells]
    page = (tmp_path / "out.html").read_text()
    assert "too few for a differential" in page
    assert "b.txt" in page


def test_a_field_without_cells_is_no_mistake(reader: Reader) -> None:
    field = read_field(reader, np.full((300, 400, 3), 235, np.uint8))
    assert (field.cells, field.red_cells, field.platelets) == ([], 0, 0)
