from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from naturalize import images, seeds
from naturalize.curate.cells_seen import (
    REACH,
    Seen,
    SeenCell,
    SeenKind,
    centre_cell,
    see_cells,
    usual_kinds,
    with_chromatin,
)
from naturalize.curate.clean import curate
from naturalize.curate.cut_cells import fit_circle, is_platelet
from naturalize.curate.fragment import find_fragments
from naturalize.curate.multicell import find_multicell
from naturalize.curate.no_centre_cell import find_no_centre_cell
from naturalize.curate.nucleated import nucleated_cells
from naturalize.datasets.import_dataset import import_dataset
from naturalize.datasets.manifest import Manifest, read_table
from naturalize.datasets.phantom import render, sample_slide
from naturalize.datasets.sample import Sample
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.segment import Mask, Smear
from tests_images import write_tree

SUBJECT = SeenCell("WBC", 180, 180, 2.5, 0.0, 0.0, 0.9)
SECOND = SeenCell("WBC", 60, 300, 2.0, 0.3, 0.0, 0.9)
CUT = SeenCell("WBC", 10, 90, 0.6, 0.4, 1.2, 0.9)
PART = SeenCell("part", 350, 200, 0.2, 0.45, 0.9, 0.4)
PLATELET = SeenCell("PLT", 181, 179, 0.2, 0.0, 0.0, 0.5)


def sample(label: str, number: int = 0) -> Sample:
    name = f"{label}/{number}.jpg"
    return Sample(
        id=name, label=label, group=name, source="x", height_px=363, width_px=360, sha256=name
    )


def kinds(seen: Seen, label: str = "SNE", usual: SeenKind = "WBC") -> dict[str, str]:
    """Return the kinds of finding about one image, with their values."""
    found = [
        finding
        for find in (find_multicell, find_fragments, find_no_centre_cell)
        for finding in find([sample(label)], [seen], {label: usual})
    ]
    assert all(f.reason and f.path == f"{label}/0.jpg" for f in found)
    return {f.kind: f.value for f in found}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ((SUBJECT,), {}),
        ((SUBJECT, PLATELET), {}),
        ((SUBJECT, SECOND), {"multicell": "0.80"}),
        ((SUBJECT, CUT), {"fragment": "0.60"}),
        ((SUBJECT, PART), {"fragment": "0.20"}),
        ((SUBJECT, CUT, PART, SECOND), {"multicell": "0.80", "fragment": "0.60"}),
        ((SUBJECT._replace(cut=2.0),), {}),
        ((SUBJECT, SECOND._replace(cut=0.1)), {"multicell": "0.80"}),
        ((SUBJECT, SECOND._replace(area=0.3)), {}),
        ((PLATELET,), {"no_centre_cell": ""}),
        ((PLATELET, SECOND), {"no_centre_cell": "0.30"}),
        ((), {"no_centre_cell": ""}),
    ],
)
def test_what_an_image_of_nucleated_cells_is_told_to_show(
    seen: Seen, expected: dict[str, str]
) -> None:
    assert kinds(seen) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ((PLATELET,), {}),
        ((SUBJECT._replace(area=1.5),), {}),
        ((PLATELET, SECOND), {"multicell": "10.00"}),
        ((PLATELET, CUT), {"fragment": "0.60"}),
        ((SECOND,), {"multicell": "", "no_centre_cell": ""}),
        ((PLATELET._replace(off_centre=0.4),), {"no_centre_cell": "0.40"}),
    ],
)
def test_what_an_image_of_platelets_is_told_to_show(seen: Seen, expected: dict[str, str]) -> None:
    assert kinds(seen, "PLT", "PLT") == expected


def test_a_class_shows_what_most_of_its_images_show() -> None:
    labels = ["SNE"] * 3 + ["PLT"] * 3 + ["empty"] * 3
    seen: list[Seen] = [(SUBJECT,), (SUBJECT, PLATELET._replace(off_centre=0.05)), (PLATELET,)]
    seen += [(PLATELET,), (PLATELET,), (SUBJECT,)]
    seen += [(), (), (SUBJECT,)]
    assert usual_kinds(labels, seen) == {"SNE": "WBC", "PLT": "PLT"}


def test_classes_that_show_neither_are_not_judged() -> None:
    seen: Seen = (SUBJECT, SECOND, CUT)
    for find in (find_multicell, find_fragments, find_no_centre_cell):
        assert list(find([sample("empty")], [seen], {})) == []


@given(st.floats(0, 0.5), st.floats(0, 0.5))
def test_the_nearest_cell_within_reach_is_centred(one: float, other: float) -> None:
    cells = (SUBJECT._replace(off_centre=one), SECOND._replace(off_centre=other))
    centred = centre_cell(cells, "WBC")
    if min(one, other) > REACH:
        assert centred is None
    else:
        assert centred is not None
        assert centred.off_centre == min(one, other)


def test_a_bluish_red_cell_is_no_nucleated_cell() -> None:
    pale = SECOND._replace(darkness=0.3)
    seen: list[Seen] = [(SUBJECT, pale), (SUBJECT, SECOND), (SUBJECT, PLATELET, PART)]
    assert with_chromatin(seen) == [(SUBJECT,), *seen[1:]]
    assert with_chromatin([(PLATELET,), ()]) == [(PLATELET,), ()]


def test_a_pale_stain_is_judged_by_its_own_nuclei() -> None:
    faint: list[Seen] = [
        tuple(cell._replace(darkness=cell.darkness / 3) for cell in (SUBJECT, SECOND))
    ]
    assert with_chromatin(faint) == faint


def test_reasons_say_where() -> None:
    (found,) = find_multicell([sample("SNE")], [(SUBJECT, SECOND)], {"SNE": "WBC"})
    assert "row 60, column 300" in found.reason
    (found,) = find_fragments([sample("SNE")], [(SUBJECT, PART)], {"SNE": "WBC"})
    assert "row 350, column 200" in found.reason


@given(st.floats(5, 80), st.floats(0.8, 6.0), st.floats(0, 6.0))
def test_a_circle_is_found_from_an_arc(radius: float, span: float, start: float) -> None:
    angle = np.linspace(start, start + span, 60)
    points = 100 + radius * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    found, rough = fit_circle(points)
    assert found == pytest.approx(radius, rel=1e-4)
    assert rough < 1e-3


@pytest.mark.parametrize(("radius", "small"), [(15, True), (20, True), (50, False), (70, False)])
def test_platelets_at_the_border_are_told_by_their_curve(radius: int, small: bool) -> None:
    y, x = np.mgrid[:200, :200]
    for depth in (radius // 2, radius):
        assert is_platelet(np.hypot(y - depth + radius, x - 100) < radius, 75.0) is small


def disc(shape: tuple[int, int], row: float, column: float, radius: float) -> NDArray[np.bool_]:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.asarray(np.hypot(y - row, x - column) < radius)


def whole_mask(pixels: NDArray[np.bool_], nucleus: NDArray[np.bool_]) -> Mask:
    height, width = pixels.shape
    return Mask("WBC", Box(0, 0, height, width), pixels, nucleus & pixels, 0.9, False)


SHAPE = (200, 260)


def test_a_mask_with_a_neck_between_two_nuclei_is_two_cells() -> None:
    both = disc(SHAPE, 100, 80, 45) | disc(SHAPE, 100, 165, 45)
    nuclei = disc(SHAPE, 100, 80, 25) | disc(SHAPE, 100, 165, 25)
    cells = nucleated_cells(both, [whole_mask(both, nuclei)], 75.0)
    assert len(cells) == 2
    assert (cells[0] ^ cells[1] == both).all()
    one = both & (np.arange(SHAPE[1]) < 122)
    assert min(np.count_nonzero(cell ^ one) for cell in cells) < 0.05 * one.sum()


def test_a_mask_with_a_lobed_nucleus_is_one_cell() -> None:
    cell = disc(SHAPE, 100, 120, 50)
    lobes = disc(SHAPE, 100, 100, 16) | disc(SHAPE, 100, 140, 16)
    assert len(nucleated_cells(cell, [whole_mask(cell, lobes)], 75.0)) == 1


def test_two_halves_of_one_cell_are_one_and_touching_cells_are_two() -> None:
    cell = disc(SHAPE, 100, 120, 50)
    lobes = disc(SHAPE, 100, 98, 16) | disc(SHAPE, 100, 142, 16)
    left = np.arange(SHAPE[1]) < 120
    halves = [whole_mask(cell & side, lobes & side) for side in (left, ~left)]
    assert len(nucleated_cells(cell, halves, 75.0)) == 1
    one, other = disc(SHAPE, 100, 70, 45), disc(SHAPE, 100, 160, 45)
    cells = [whole_mask(pixels, pixels) for pixels in (one, other)]
    assert len(nucleated_cells(one | other, cells, 75.0)) == 2


@lru_cache
def phantom(label: str, seed: int) -> tuple[Rgb, NDArray[np.bool_]]:
    """Return a phantom of a class and the mask of the cell at its centre."""
    made = render(
        label,
        rng=seeds.child(seed, "multicell", label),
        slide=sample_slide(seeds.child(seed, "multicell slide")),
    )
    rgb = images.decode(made.jpeg)
    middle = np.array(rgb.shape[:2]) / 2

    def off(mask: Mask) -> float:
        box = mask.box
        centre = np.array([box.top + box.height / 2, box.left + box.width / 2])
        return float(np.hypot(*(centre - middle)))

    nearest = min((m for m in made.masks if m.kind != "RBC"), key=off)
    return rgb, nearest.to_image(rgb.shape)


def with_second(rgb: Rgb, label: str, seed: int, top: int, left: int) -> Rgb:
    """Lay the central cell of another phantom over ``rgb``, its box's corner at (top, left)."""
    donor, mask = phantom(label, seed)
    rows, columns = np.nonzero(mask)
    down, right = top - rows.min(), left - columns.min()
    inside = (rows + down >= 0) & (rows + down < rgb.shape[0])
    inside &= (columns + right >= 0) & (columns + right < rgb.shape[1])
    made = rgb.copy()
    made[rows[inside] + down, columns[inside] + right] = donor[rows[inside], columns[inside]]
    return made


def seen_kinds(rgb: Rgb, usual: SeenKind = "WBC") -> set[str]:
    return set(kinds(see_cells(rgb, Smear()), usual=usual))


LABELS = ("EO", "LY", "MY")


@pytest.mark.parametrize("label", LABELS)
def test_a_second_cell_laid_over_is_found_and_none_without_it(label: str) -> None:
    rgb, _ = phantom("SNE", 1)
    assert seen_kinds(rgb) == set()
    assert seen_kinds(with_second(rgb, label, 2, 8, 8)) == {"multicell"}


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("shown", [0.2, 0.5, 0.8])
def test_a_cell_cut_by_the_border_is_found(label: str, shown: float) -> None:
    _, mask = phantom(label, 2)
    rows = np.flatnonzero(mask.any(axis=1))
    hidden = round((1 - shown) * rows.size)
    rgb, _ = phantom("SNE", 1)
    assert seen_kinds(with_second(rgb, label, 2, -hidden, 20)) == {"fragment"}


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_an_image_changes_no_finding(turns: int) -> None:
    rgb, _ = phantom("SNE", 1)
    both = with_second(with_second(rgb, "MY", 2, 8, 8), "EO", 2, 300, 20)
    turned = np.ascontiguousarray(np.rot90(both, turns))
    assert seen_kinds(turned) == seen_kinds(both) == {"multicell", "fragment"}


def test_a_magnified_image_says_the_same_at_places_of_its_own() -> None:
    rgb = with_second(phantom("SNE", 1)[0], "MY", 2, 8, 8)
    large = rgb.repeat(4, axis=0).repeat(4, axis=1)
    small_seen, large_seen = see_cells(rgb, Smear()), see_cells(large, Smear())
    small, big = ([c for c in seen if c.kind == "WBC"] for seen in (small_seen, large_seen))
    assert len(small) == len(big) == 2
    for one, other in zip(small, big, strict=True):
        assert other.row == pytest.approx(4 * one.row, abs=12)
        assert other.column == pytest.approx(4 * one.column, abs=12)
        assert other.area == pytest.approx(one.area, rel=0.15)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_image_of_one_colour_shows_nothing(value: int) -> None:
    assert see_cells(np.full((200, 180, 3), value, np.uint8), Smear()) == ()


def test_the_paper_drops_what_minimal_keeps(tmp_path: Path) -> None:
    files = {f"SNE/{seed}.png": phantom("SNE", seed)[0] for seed in (1, 3, 4)}
    files["MY/1.png"] = phantom("MY", 5)[0]
    files["SNE/second.png"] = with_second(files["SNE/1.png"], "MY", 2, 8, 8)
    files["SNE/cut.png"] = with_second(files["SNE/3.png"], "MY", 2, -45, 20)
    encoded = {name: images.encode_png(rgb) for name, rgb in files.items()}
    dataset = import_dataset(write_tree(tmp_path / "in", encoded), tmp_path / "dataset")
    kept = {}
    for preset in ("minimal", "paper"):
        made = curate(dataset, tmp_path / preset, preset=preset)
        kept[preset] = {sample.id for sample in Manifest.load(made).samples}
        found = {(row["path"], row["kind"]) for row in read_table(made.path / "findings.csv")}
        assert {("SNE/second.png", "multicell"), ("SNE/cut.png", "fragment")} <= found
    assert kept["minimal"] == files.keys()
    assert kept["paper"] == files.keys() - {"SNE/second.png", "SNE/cut.png"}
