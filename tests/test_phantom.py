"""The phantom: reproducible images whose masks are exact."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from naturalize import images, seeds
from naturalize.artefact import Artefact
from naturalize.datasets.manifest import Manifest, read_sample, read_table
from naturalize.datasets.phantom import (
    CLASSES,
    PhantomImage,
    class_counts,
    load_masks,
    render,
    sample_slide,
    write_phantom,
)
from naturalize.datasets.phantom_cells import NUCLEUS, red_cell
from naturalize.datasets.phantom_classes import LINEAGE, REAL_COUNTS, SHAPES, stage
from naturalize.datasets.phantom_field import Placed, total_density, visible_masks
from naturalize.datasets.phantom_slide import plate_image, transmittance
from naturalize.errors import InputError

T = TypeVar("T")
SIZE = (363, 360)


def draw(label: str, seed: int = 0) -> PhantomImage:
    slide = sample_slide(seeds.child(seed, "slide"))
    return render(label, rng=seeds.child(seed, label), slide=slide)


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[PhantomImage]]:
    return {label: [draw(label, seed) for seed in range(4)] for label in CLASSES}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return write_phantom(tmp_path_factory.mktemp("phantom") / "set", count=33, seed=5)


@pytest.mark.parametrize("label", CLASSES)
def test_same_seed_same_bytes(label: str) -> None:
    first, second = draw(label, 9), draw(label, 9)
    assert first.jpeg == second.jpeg
    assert draw(label, 10).jpeg != first.jpeg


def test_images_look_like_files_of_the_main_source(drawn: dict[str, list[PhantomImage]]) -> None:
    for made in (made for row in drawn.values() for made in row):
        assert made.image.shape == (*SIZE, 3)
        assert made.image.dtype == np.uint8
        assert np.array_equal(images.decode(made.jpeg), made.image)


def test_masks_are_disjoint_and_tight(drawn: dict[str, list[PhantomImage]]) -> None:
    for made in (made for row in drawn.values() for made in row):
        total = np.sum([mask.to_image(SIZE).astype(int) for mask in made.masks], axis=0)
        assert total.max() == 1
        for mask in made.masks:
            assert mask.pixels[0].any() and mask.pixels[-1].any()
            assert mask.pixels[:, 0].any() and mask.pixels[:, -1].any()
            at_side = mask.box.top == 0 or mask.box.left == 0
            at_side |= mask.box.bottom == SIZE[0] or mask.box.right == SIZE[1]
            assert mask.touches_border == at_side


def test_one_centred_cell_with_its_nucleus(drawn: dict[str, list[PhantomImage]]) -> None:
    for label, row in drawn.items():
        for made in row:
            white = [mask for mask in made.masks if mask.kind == "WBC"]
            assert len(white) == (0 if label == "PLT" else 1)
            middle = made.masks[-1]
            centre = np.argwhere(middle.to_image(SIZE)).mean(axis=0)
            assert np.abs(centre - np.array(SIZE) / 2).max() < 12 + 8
            for mask in white:
                assert mask.nucleus is not None and mask.nucleus.any()
                assert not (mask.nucleus & ~mask.pixels).any()


def test_nucleus_is_darker_than_cytoplasm_and_cells_than_plate(
    drawn: dict[str, list[PhantomImage]],
) -> None:
    for label, row in drawn.items():
        for made in row:
            covered = np.any([mask.to_image(SIZE) for mask in made.masks], axis=0)
            plate = np.median(made.image[~covered], axis=0)
            for mask in made.masks:
                inside = made.image[mask.to_image(SIZE)]
                assert inside.mean(axis=0)[1] < plate[1] - 10, (label, mask.kind)
            white = made.masks[-1]
            if white.nucleus is None:
                continue
            whole, nucleus = white.to_image(SIZE), np.zeros(SIZE, dtype=bool)
            nucleus[white.box.slices] = white.nucleus
            around = whole & ~nucleus
            assert made.image[nucleus].mean() < made.image[around].mean(), label


def test_plate_has_the_colour_measured_on_pbc(drawn: dict[str, list[PhantomImage]]) -> None:
    plates = []
    for made in (made for row in drawn.values() for made in row):
        covered = np.any([mask.to_image(SIZE) for mask in made.masks], axis=0)
        plates.append(np.median(made.image[~covered], axis=0))
    assert np.abs(np.mean(plates, axis=0) - (254, 228, 202)).max() < 4


def test_red_cells_have_the_size_and_number_measured_on_pbc() -> None:
    numbers, areas = [], []
    for seed in range(24):
        made = draw("LY", seed)
        red = [mask for mask in made.masks if mask.kind == "RBC"]
        numbers.append(len(red))
        areas += [mask.area_px for mask in red if not mask.touches_border and not mask.reasons]
    assert 12 < np.mean(numbers) < 17
    assert np.median(areas) == pytest.approx(4450, rel=0.15)


def test_neighbouring_stages_overlap() -> None:
    """Bands and segmented cells share some nuclear shapes, lymphocytes and promyelocytes none."""
    for trait in ("cell_radius", "nucleus_share", "pinch", "aspect"):
        band, segmented = getattr(SHAPES["BNE"], trait), getattr(SHAPES["SNE"], trait)
        assert max(band) > min(segmented) and max(segmented) > min(band), trait
    small, large = SHAPES["LY"].cell_radius, SHAPES["PMY"].cell_radius
    assert max(small) < min(large)


def test_labels_of_the_lineage_are_off_by_one_stage_at_most() -> None:
    rng = seeds.child(0, "stages")
    for number, label in enumerate(LINEAGE):
        looks = [stage(label, rng=rng)[0] for _ in range(400)]
        near = [SHAPES[other] for other in LINEAGE[max(0, number - 1) : number + 2]]
        assert all(look in near for look in looks)
        assert 0.7 < np.mean([look == SHAPES[label] for look in looks]) < 1
    assert all(stage("EO", rng=rng)[0] == SHAPES["EO"] for _ in range(20))


def test_transmittance_is_exponential() -> None:
    density = np.linspace(0, 7, 5000, dtype=np.float32)
    exact = np.array([math.exp(-value) for value in density.tolist()])
    assert np.abs(transmittance(density) / exact - 1).max() < 1.5e-3


def test_overlapping_red_cells_darken_multiplicatively() -> None:
    slide = sample_slide(seeds.child(1, "slide"))
    under = Placed(red_cell(slide, rng=seeds.child(1, "under")), 100, 100)
    over = Placed(red_cell(slide, rng=seeds.child(1, "over")), 130, 130)
    alone = [transmittance(total_density([item])) for item in (under, over)]
    both = transmittance(total_density([under, over]))
    assert np.allclose(both, alone[0] * alone[1], rtol=3e-3)
    shared = np.logical_and(*(visible_masks([item])[0].to_image(SIZE) for item in (under, over)))
    assert shared.any()
    light = plate_image(slide)
    assert (light * both)[shared].max() < np.minimum(*(light * one for one in alone))[shared].max()
    assert ((light * both)[shared] < (light * alone[0])[shared]).all()
    assert ((light * both)[shared] < (light * alone[1])[shared]).all()


def test_overlap_belongs_to_the_upper_cell() -> None:
    slide = sample_slide(seeds.child(2, "slide"))
    under = Placed(red_cell(slide, rng=seeds.child(2, "under")), 100, 100)
    over = Placed(red_cell(slide, rng=seeds.child(2, "over")), 130, 130)
    lower, upper = visible_masks([under, over])
    assert lower.reasons == upper.reasons == ("overlap",)
    assert upper.area_px == np.count_nonzero(over.layer.pixels)
    assert lower.area_px < np.count_nonzero(under.layer.pixels)
    apart = Placed(under.layer, 250, 250)
    assert [mask.reasons for mask in visible_masks([under, apart])] == [(), ()]


def test_class_counts_are_those_of_the_public_data() -> None:
    assert sum(REAL_COUNTS.values()) == 16891
    assert class_counts(16891) == REAL_COUNTS
    assert set(REAL_COUNTS) == set(CLASSES)


@pytest.mark.parametrize("count", [1, 11, 32, 33, 34, 100, 660, 5000])
def test_class_counts_add_up(count: int) -> None:
    counts = class_counts(count)
    assert sum(counts.values()) == count
    assert min(counts.values()) >= (3 if count >= 33 else 0)
    if count >= 660:
        for label, number in counts.items():
            assert abs(number - count * REAL_COUNTS[label] / 16891) < 1


@pytest.mark.parametrize(
    ("count", "classes", "argument"),
    [(0, CLASSES, "count"), (5, ("BA", "XX"), "classes"), (5, ("BA", "BA"), "classes")],
)
def test_wrong_requests_name_the_argument(
    count: int, classes: tuple[str, ...], argument: str
) -> None:
    with pytest.raises(InputError, match=f"^{argument}: expected"):
        class_counts(count, classes)


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(InputError, match="label: expected one of BA"):
        draw("NEUTROPHIL")


def test_dataset_reads_back(dataset: Artefact) -> None:
    manifest = Manifest.load(dataset)
    assert manifest.counts() == class_counts(33) == dict(dataset.summary["counts"])
    for sample in manifest.samples:
        assert sample.id.startswith(f"{sample.label}/{sample.label}_")
        assert read_sample(manifest.root, sample).shape == (*SIZE, 3)
    slides = {row["sample_id"] for row in read_table(dataset.path / "slides.csv")}
    assert slides == {sample.id for sample in manifest.samples}


def test_masks_read_back_as_they_were_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[PhantomImage] = []

    def remembering(label: str, **how: object) -> PhantomImage:
        made.append(render(label, **how))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr("naturalize.datasets.phantom.render", remembering)
    artefact = write_phantom(tmp_path / "set", count=6, classes=("SNE", "PLT"))
    samples = Manifest.load(artefact).samples
    for sample, image in zip(samples, made, strict=True):
        assert hashlib.sha256(image.jpeg).hexdigest() == sample.sha256
        found = load_masks(artefact, sample.id)
        assert len(found) == len(image.masks)
        for read, drawn in zip(found, image.masks, strict=True):
            for name in ("kind", "box", "reasons", "touches_border", "score"):
                assert getattr(read, name) == getattr(drawn, name)
            assert np.array_equal(read.pixels, drawn.pixels)
            assert (read.nucleus is None) == (drawn.nucleus is None)
            if read.nucleus is not None and drawn.nucleus is not None:
                assert np.array_equal(read.nucleus, drawn.nucleus)


def test_masks_of_an_unknown_image_are_refused(dataset: Artefact) -> None:
    with pytest.raises(InputError, match="sample_id"):
        load_masks(dataset, "BA/BA_999999.jpg")


def test_the_order_of_drawing_does_not_matter(dataset: Artefact, tmp_path: Path) -> None:
    """Images of a set drawn backwards are the same files."""
    images_root = dataset.path / "images"
    slides = {row["sample_id"]: row["slide"] for row in read_table(dataset.path / "slides.csv")}
    for sample_id in sorted(slides, reverse=True)[:6]:
        index = int(Path(sample_id).stem.rsplit("_")[-1])
        slide = sample_slide(seeds.child(5, "phantom slide", int(slides[sample_id])))
        label = Path(sample_id).parent.name
        again = render(label, rng=seeds.child(5, "phantom", index), slide=slide)
        assert again.jpeg == (images_root / sample_id).read_bytes()


def test_slides_do_not_tell_the_class(dataset: Artefact) -> None:
    slides = read_table(dataset.path / "slides.csv")
    by_class: dict[str, set[str]] = {}
    for row in slides:
        by_class.setdefault(row["sample_id"].split("/")[0], set()).add(row["slide"])
    assert all(len(numbers) > 1 for numbers in by_class.values())


def interrupted(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Stop after six items, as a kill would."""
    for number, item in enumerate(items):
        if number == 6:
            raise KeyboardInterrupt
        yield item


def test_an_interrupted_run_resumes(dataset: Artefact, tmp_path: Path) -> None:
    out = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        write_phantom(out, count=33, seed=5, track=interrupted)
    assert not out.exists()
    begun = {file.name: file.stat().st_mtime_ns for file in tmp_path.rglob("*.jpg")}
    assert len(begun) == 6
    finished = write_phantom(out, count=33, seed=5, if_exists="resume")
    assert finished.id == dataset.id
    after = {file.name: file.stat().st_mtime_ns for file in out.rglob("*.jpg")}
    assert begun.items() <= after.items()


def test_another_seed_is_another_dataset(tmp_path: Path) -> None:
    made = [
        write_phantom(tmp_path / str(number), count=2, seed=seed)
        for number, seed in enumerate((0, 0, 1))
    ]
    assert made[0].id == made[1].id != made[2].id


def test_nuclei_are_stained_as_measured(drawn: dict[str, list[PhantomImage]]) -> None:
    """The nucleus lets least green and most blue through, as azure-stained chromatin does."""
    assert NUCLEUS[1] > NUCLEUS[0] > NUCLEUS[2]
    for made in drawn["SNE"]:
        white = made.masks[-1]
        assert white.nucleus is not None
        red, green, blue = made.image[white.box.slices][white.nucleus].mean(axis=0)
        assert green < red < blue
