from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from naturalize.artefact import Artefact, Draft, open_artefact
from naturalize.cutouts.bank import CutoutBank
from naturalize.cutouts.cut_image import cut_image, find_subject
from naturalize.cutouts.cutout import FULL, rim_weight, without_spurs
from naturalize.cutouts.make_bank import cut_samples, make_bank
from naturalize.cutouts.plate import TILE_PX, Plate, take_plate
from naturalize.cutouts.triage import Candidate, Refusal, triage, triage_areas
from naturalize.datasets.manifest import Manifest, read_sample
from naturalize.datasets.phantom import load_masks
from naturalize.errors import InputError, LeakError
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.optics import PlateSurface
from naturalize.progress import quiet
from naturalize.segment import Kind, Mask, Smear
from naturalize.split.split import RealSplit


def disc(kind: Kind, row: int, column: int, radius: int, *, border: bool = False) -> Mask:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    box = Box(row - radius, column - radius, 2 * radius + 1, 2 * radius + 1)
    return Mask(kind, box, x * x + y * y <= radius * radius, None, 0.9, border)


def scene(*masks: Mask, side: int = 120) -> Rgb:
    """Return a plate of (240, 220, 200) on which each mask lets half of the light through."""
    rgb = np.empty((side, side, 3), np.float64)
    rgb[:] = (240, 220, 200)
    for mask in masks:
        rgb[mask.to_image(rgb.shape)] *= 0.5
    return rgb.astype(np.uint8)


def flat() -> PlateSurface:
    coefficients = np.zeros((3, 6))
    coefficients[:, 0] = (240, 220, 200)
    return PlateSurface(coefficients)


def test_cutout_knows_the_light_the_cell_lets_through() -> None:
    cell = disc("WBC", 60, 60, 20)
    pieces = cut_image("a.jpg", "EO", scene(cell), [cell])
    (cutout,) = pieces.cutouts
    assert (cutout.kind, cutout.label, pieces.subject_kind) == ("WBC", "EO", "WBC")
    assert cutout.mask.sum() == pytest.approx(cell.area_px, rel=0.02)
    assert cutout.transmittance[cutout.mask] == pytest.approx(0.5, abs=0.02)
    assert (cutout.rgba()[..., 3].astype(bool) == cutout.mask).all()
    assert pieces.offset == (0.5, 0.5)


def test_only_the_subject_carries_the_label() -> None:
    cell, far = disc("WBC", 60, 60, 20), disc("WBC", 15, 100, 10)
    red, speck = disc("RBC", 100, 20, 12), disc("PLT", 20, 20, 4)
    masks = (red, far, cell, speck)
    pieces = cut_image("a.jpg", "EO", scene(*masks), masks)
    assert {(c.kind, c.label) for c in pieces.cutouts} == {("WBC", "EO"), ("RBC", ""), ("PLT", "")}
    (other,) = pieces.turned_down
    assert (other.id, other.kind) == ("a.jpg#1", "WBC")
    assert other.refusal.reason == "not the subject of the image"
    assert other.box == far.box
    assert (pieces.red_cells, pieces.platelets) == (1, 1)


def test_an_image_that_gives_no_subject_says_so() -> None:
    red = disc("RBC", 60, 60, 12)
    for masks in ([], [red]):
        (missing,) = cut_image("a.jpg", "EO", scene(*masks), masks).turned_down
        assert (missing.id, missing.kind) == ("a.jpg", "subject")
        assert missing.box == Box(0, 0, 120, 120)


def test_subject_is_the_nucleated_cell_at_the_centre_or_else_the_platelet() -> None:
    cell, speck, red = disc("WBC", 70, 60, 15), disc("PLT", 60, 60, 4), disc("RBC", 60, 60, 9)
    assert find_subject([speck, cell, red], (120, 120)) == 1
    assert find_subject([red, speck], (120, 120)) == 1
    assert find_subject([red, disc("PLT", 5, 5, 4)], (120, 120)) is None


def window_of(*discs: Mask) -> list[np.ndarray]:
    return [d.to_image((120, 120))[20:100, 10:100] for d in discs]


def test_rim_fades_out_and_keeps_clear_of_neighbours() -> None:
    own, neighbour = window_of(disc("WBC", 60, 50, 20), disc("RBC", 60, 80, 8))
    weight = rim_weight(own, own | neighbour, rim_px=6)
    assert (weight[own] == FULL).all()
    assert (weight[~own] < FULL).all()
    assert (weight[neighbour] == 0).mean() > 0.95
    away = weight[40, : 40 - 20].astype(int)
    assert (np.diff(away) >= 0).all()
    assert away[-1] > 200
    assert away[-7] == 0


def test_rim_holds_the_cells_own_soft_edge_all_around() -> None:
    own, soft_edge = window_of(disc("WBC", 60, 50, 20), disc("WBC", 60, 50, 24))
    free = rim_weight(own, own, rim_px=6)
    assert (rim_weight(own, soft_edge, rim_px=6) == free).all()
    neighbour = window_of(disc("RBC", 60, 85, 12))[0]
    touched = rim_weight(own, soft_edge | neighbour, rim_px=6)
    assert (touched[:, :40] == free[:, :40]).all()
    assert (touched[neighbour & ~soft_edge] == 0).all()


def test_a_rim_reaches_into_a_veil_and_keeps_clear_of_what_no_mask_tells_of() -> None:
    cell, red = disc("WBC", 60, 60, 20), disc("RBC", 100, 20, 12)
    plain = scene(cell, red)
    beside = disc("OBJ", 60, 92, 16).to_image(plain.shape) & (plain[..., 0] == 240)

    def rim_of(light: float) -> tuple[NDArray[np.uint8], Box]:
        rgb = plain.copy()
        rgb[beside] = (rgb[beside] * light).astype(np.uint8)
        pieces = cut_image("a.jpg", "EO", rgb, [cell, red])
        return next((c.weight, c.box) for c in pieces.cutouts if c.kind == "WBC")

    (free, box), (veiled, _), (pressed, _) = (rim_of(light) for light in (1.0, 0.9, 0.5))
    assert (veiled == free).all()
    assert free[beside[box.slices]].max() > FULL // 2
    assert pressed[beside[box.slices]].max() == 0


def test_threads_are_taken_off_a_mask() -> None:
    cell = np.pad(disc("RBC", 9, 9, 9).pixels, 10)
    spurred = cell.copy()
    spurred[19, 28:38] = True
    spurred[0:3, 0:3] = True
    cleaned = without_spurs(spurred)
    assert not cleaned[19, 31:].any()
    assert not cleaned[:3, :3].any()
    assert cleaned.sum() >= 0.97 * cell.sum()
    thread = np.zeros((3, 9), bool)
    thread[1] = True
    assert (without_spurs(thread) == thread).all()


ROUND = disc("RBC", 30, 30, 9)
CROSS = np.eye(19, dtype=bool) | np.eye(19, dtype=bool)[::-1]


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (disc("RBC", 30, 30, 9, border=True), "border"),
        (replace(ROUND, score=0.1), "low score"),
        (replace(ROUND, reasons=("touching",)), "touching"),
        (replace(ROUND, kind="WBC", reasons=("touching",)), None),
        (replace(ROUND, kind="PLT", reasons=("touching",)), None),
        (replace(ROUND, kind="WBC", reasons=("touching", "two nuclei")), "two nuclei"),
        (replace(ROUND, kind="WBC", reasons=("overlap",)), "overlap"),
        (replace(ROUND, kind="PLT", reasons=("overlap",)), "overlap"),
        (Mask("WBC", Box(0, 0, 19, 19), CROSS, None, 0.9, False), "not solid"),
        (ROUND, None),
    ],
)
def test_triage_gives_its_reason(mask: Mask, reason: str | None) -> None:
    refusal = triage(mask)
    assert (refusal and refusal.reason) == reason


def test_figures_of_a_segmenter_do_not_make_a_reason_of_its_own() -> None:
    refusal = triage(replace(ROUND, reasons=("disagrees with smear (IoU 0.62)",)))
    assert refusal == Refusal("disagrees with smear", "IoU 0.62")


def test_overlapping_cells_of_a_phantom_are_turned_down(dataset: Artefact) -> None:
    reasons = Counter(
        refusal.reason if (refusal := triage(mask)) else ""
        for sample in Manifest.load(dataset).samples
        for mask in load_masks(dataset, sample.id)
        if "overlap" in mask.reasons and not mask.touches_border
    )
    assert set(reasons) == {"overlap"}


def cells(kind: Kind, label: str, *areas: int) -> list[Candidate]:
    return [Candidate(f"{label}{kind}{i}", kind, label, area) for i, area in enumerate(areas)]


def test_sizes_are_judged_within_kind_and_class() -> None:
    usual = cells("WBC", "EO", *[100] * 9) + cells("RBC", "", 20) + cells("WBC", "ERB", *[30] * 5)
    odd = [Candidate("small", "WBC", "EO", 30), Candidate("large", "WBC", "ERB", 100)]
    refusals = triage_areas(usual + odd)
    assert {name: refusal.reason for name, refusal in refusals.items()} == {
        "small": "too small",
        "large": "too large",
    }
    assert refusals["small"].detail == "0.30 of the median area of EO"


def test_platelets_may_be_large_but_specks_are_none() -> None:
    platelets = cells("PLT", "", *[100] * 9, 40, 350)
    assert {n: r.reason for n, r in triage_areas(platelets).items()} == {"PLT9": "too small"}


def test_a_class_of_few_is_judged_by_its_kind() -> None:
    many = cells("WBC", "EO", *[100] * 20)
    rare = cells("WBC", "ERB", 30, 2, 900)
    refusals = triage_areas(many + rare)
    assert {name: refusal.reason for name, refusal in refusals.items()} == {
        "ERBWBC1": "too small",
        "ERBWBC2": "too large",
    }
    assert triage_areas([*many, *cells("RBC", "", 3)]) == {}


def test_plate_noise_is_the_images_own() -> None:
    rng = np.random.default_rng(0)
    rgb = np.clip(scene() + rng.normal(0, 3, (120, 120, 3)), 0, 255).astype(np.uint8)
    plate = take_plate("a.jpg", rgb, np.ones((120, 120), bool), flat())
    assert isinstance(plate, Plate)
    noise = plate.noise(363, 360, rng=np.random.default_rng(1))
    assert noise.shape == (363, 360, 3)
    assert noise.std() == pytest.approx(3, rel=0.1)
    again = plate.noise(363, 360, rng=np.random.default_rng(1))
    assert (noise == again).all()


def test_noise_is_tiles_laid_row_by_row_each_turned_and_flipped() -> None:
    tiles = np.random.default_rng(0).integers(100, 156, (5, TILE_PX, TILE_PX, 3), dtype=np.uint8)
    plate = Plate("a.jpg", flat(), 120, 120, tiles)
    noise = plate.noise(50, 70, rng=np.random.default_rng(7))
    drawn = iter(np.random.default_rng(7).integers(0, [5, 4, 2], size=(9, 3)))
    whole = np.zeros((72, 72, 3), np.int8)
    for top in range(0, 72, TILE_PX):
        for left in range(0, 72, TILE_PX):
            tile, turns, flip = next(drawn)
            square = np.rot90(tiles[tile].astype(int) - 128, turns)
            square = np.fliplr(square) if flip else square
            whole[top : top + TILE_PX, left : left + TILE_PX] = square
    assert (noise == whole[:50, :70]).all()


@pytest.mark.parametrize("box", [Box(0, 0, 50, 70), Box(30, 25, 20, 45), Box(23, 24, 2, 1)])
def test_noise_inside_a_box_is_part_of_the_whole(box: Box) -> None:
    tiles = np.random.default_rng(0).integers(100, 156, (5, TILE_PX, TILE_PX, 3), dtype=np.uint8)
    plate = Plate("a.jpg", flat(), 120, 120, tiles)
    whole = plate.noise(50, 70, rng=np.random.default_rng(7))
    part = plate.noise(50, 70, rng=np.random.default_rng(7), box=box)
    assert (part == whole[box.slices]).all()


def test_an_image_that_shows_too_little_slide_is_no_plate() -> None:
    background = np.zeros((120, 120), bool)
    covered = take_plate("a.jpg", scene(), background, flat())
    assert covered == Refusal("too little bare slide", "0.0% of the image, 3% is needed")
    background[::2] = True
    striped = take_plate("a.jpg", scene(), background, flat())
    assert striped == Refusal("too little bare slide", f"no square of {TILE_PX} px")


def test_bank_gives_back_the_donors_pixels(bank: Artefact, split: Artefact) -> None:
    real, loaded = RealSplit.load(split), CutoutBank.load(bank)
    samples = {s.id: s for s in real.train}
    assert {row.sample_id for row in loaded.rows} <= samples.keys()
    for row in loaded.rows[::5]:
        donor = read_sample(real.root, samples[row.sample_id])
        cutout = loaded.cutout(row.id)
        assert (cutout.pixels == donor[row.box.slices]).all()
        assert cutout.mask.sum() == row.area_px
    assert loaded.split_id == split.id
    assert all(row.label == samples[row.sample_id].label for row in loaded.rows if row.label)


def test_bank_holds_subjects_of_nearly_all_train_images(bank: Artefact, split: Artefact) -> None:
    found = sum(bank.summary["subjects"].values())
    assert found >= 0.85 * sum(split.summary["counts"]["train"].values())
    assert bank.summary["plates"] > 0


def test_bank_is_the_same_with_any_number_of_workers(
    bank: Artefact, split: Artefact, tmp_path: Path
) -> None:
    assert make_bank(split, tmp_path / "two", workers=2).id == bank.id


def test_interrupted_bank_resumes_and_equals_the_whole_one(
    bank: Artefact, split: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("naturalize.cutouts.make_bank.SHARD_IMAGES", 12)
    whole = make_bank(split, tmp_path / "whole")

    def cut_off(items, total, what):  # type: ignore[no-untyped-def]
        iterator = iter(items)
        yield next(iterator)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_bank(split, tmp_path / "part", track=cut_off)
    shard = tmp_path / ".part.partial" / "shards" / "00000.npy"
    before = shard.stat().st_mtime_ns
    resumed = make_bank(split, tmp_path / "part", if_exists="resume")
    assert resumed.id == whole.id
    assert (resumed.path / "shards" / "00000.npy").stat().st_mtime_ns == before


@pytest.mark.parametrize("side", ["val", "test"])
def test_no_other_side_is_ever_cut(split: Artefact, tmp_path: Path, side: str) -> None:
    real = RealSplit.load(split)
    stray = getattr(real, side)[:1]
    with pytest.raises(LeakError, match="cut: 1 donor"):
        cut_samples(real, stray, Draft(tmp_path), by=Smear(), workers=1, track=quiet)


def test_a_damaged_bank_is_refused(bank: Artefact, tmp_path: Path) -> None:
    shutil.copytree(bank.path, tmp_path / "bank")
    table = tmp_path / "bank" / "cutouts.csv"
    table.write_text(table.read_text()[:-40])
    with pytest.raises(InputError, match=r"cutouts\.csv: expected the file that was written"):
        open_artefact(tmp_path / "bank")
    with pytest.raises(InputError, match="a whole bank"):
        CutoutBank.load(replace(bank, path=tmp_path / "bank"))
