"""Masks drawn at random to be judged by eye: which they are, never a pixel of them."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from naturalize import images, seeds
from naturalize.cutouts.cut_image import find_subject
from naturalize.errors import InputError
from naturalize.geometry import Box
from naturalize.segment import Kind, Mask, Segmenter
from segment_agreement import box_overlaps
from segment_digest import mask_digest
from segment_truth import FIELDS, pbc_by_class, pbc_sample

OBJECTS: dict[Kind, int] = {"RBC": 100, "PLT": 50}
"""Masks of each kind drawn from each of the two sources."""
POOL_IMAGES = 200
PER_CLASS = 20
MOVED_IOU = 0.9


@dataclass(frozen=True)
class Row:
    """One mask to be judged.

    ``file`` is told below the data folder; ``label`` is the image's class in PBC; ``kind`` is empty
    and the box without area where an image shows no central cell; ``clump`` and ``border`` say
    whether the mask was cut from a clump, and whether the image's side cuts it.
    """

    number: int
    source: str
    label: str
    file: str
    kind: str
    clump: int
    border: int
    top: int
    left: int
    height: int
    width: int
    digest: str

    @property
    def box(self) -> Box:
        """The mask's box."""
        return Box(self.top, self.left, self.height, self.width)


def draw_objects(segmenter: Segmenter, data: Path, n_images: int, *, seed: int) -> list[Row]:
    """Draw red cells and platelets, each as likely as the next among those of ``n_images``.

    Images are drawn first, without replacement and whatever their class, then masks among all that
    were found in them, those at the border and in clumps included. Sources are shuffled within a
    kind, so that neither comes in a block.
    """
    rng = seeds.child(seed, "judge objects")
    pools: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for source, paths in _sources(data).items():
        for i in sorted(rng.choice(len(paths), min(n_images, len(paths)), replace=False)):
            for mask in segmenter.segment(images.read(paths[i])):
                pools[mask.kind, source].append(_row(data, paths[i], source, mask))
    drawn = []
    for kind, wanted in OBJECTS.items():
        chosen = []
        for source in _sources(data):
            pool = pools[kind, source]
            picks = rng.choice(len(pool), min(wanted, len(pool)), replace=False)
            chosen += [pool[i] for i in picks]
        drawn += [chosen[i] for i in rng.permutation(len(chosen))]
    return _numbered(drawn)


def draw_central(segmenter: Segmenter, data: Path, per_class: int, *, seed: int) -> list[Row]:
    """Draw PBC images of every class, and take the mask of the cell at their centre."""
    rng = seeds.child(seed, "judge central")
    sample = pbc_sample(data, per_class, rng=rng)
    rows = []
    for label, paths in sample.items():
        for path in paths:
            rgb = images.read(path)
            masks = segmenter.segment(rgb)
            subject = find_subject(masks, (rgb.shape[0], rgb.shape[1]))
            mask = None if subject is None else masks[subject]
            rows.append(_row(data, path, "PBC", mask, label=label))
    return _numbered([rows[i] for i in rng.permutation(len(rows))])


def current_masks(
    rows: Sequence[Row], segmenter: Segmenter, data: Path
) -> Iterator[tuple[Row, images.Rgb, list[Mask]]]:
    """Yield every row with its image and the masks that the segmenter finds there now."""
    by_file = defaultdict(list)
    for row in rows:
        by_file[row.file].append(row)
    for file, some in by_file.items():
        rgb = images.read(data / file)
        masks = segmenter.segment(rgb)
        for row in some:
            yield row, rgb, masks


def drawn_mask(row: Row, masks: Sequence[Mask]) -> Mask | None:
    """Return the very mask that was drawn, None where the segmenter gives it no longer."""
    return next((m for m in masks if mask_digest(m) == row.digest), None)


def check(rows: Sequence[Row], segmenter: Segmenter, data: Path) -> dict[str, list[int]]:
    """Return the numbers of masks still the same, hardly moved, and changed or gone.

    Hardly moved: another mask of the kind whose box overlaps the drawn one's by ``MOVED_IOU``. A
    judgement belongs to the mask that was drawn, so strictly only to those still the same.
    """
    found: dict[str, list[int]] = {"same": [], "moved": [], "changed": []}
    for row, rgb, masks in current_masks(rows, segmenter, data):
        found[_state(row, masks, rgb)].append(row.number)
    return {state: sorted(numbers) for state, numbers in found.items()}


def _state(row: Row, masks: Sequence[Mask], rgb: images.Rgb) -> str:
    if not row.kind:
        subject = find_subject(list(masks), (rgb.shape[0], rgb.shape[1]))
        return "same" if subject is None else "changed"
    if drawn_mask(row, masks) is not None:
        return "same"
    boxes = [m.box for m in masks if m.kind == row.kind]
    near = box_overlaps([row.box], boxes).max(initial=0) >= MOVED_IOU
    return "moved" if near else "changed"


def refuse_existing(path: Path) -> None:
    """Raise where a table stands already: judgements may belong to it."""
    if path.exists():
        raise InputError(str(path), "no table yet (judgements may belong to it)", "one")


def write_rows(path: Path, rows: Sequence[Any]) -> None:
    """Write a new table of dataclass instances of one kind; see :func:`refuse_existing`."""
    refuse_existing(path)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(rows[0])], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_rows(path: Path) -> list[Row]:
    """Read a table that :func:`write_rows` wrote."""
    whole = {f.name for f in fields(Row) if f.type == "int"}
    with path.open(newline="") as file:
        return [
            Row(**{k: int(v) if k in whole else v for k, v in row.items()})  # type: ignore[arg-type]
            for row in csv.DictReader(file)
        ]


def _sources(data: Path) -> dict[str, list[Path]]:
    return {
        "PBC": [path for paths in pbc_by_class(data).values() for path in paths],
        "BCCD": sorted((data / FIELDS / "JPEGImages").glob("*.jpg")),
    }


def _row(data: Path, path: Path, source: str, mask: Mask | None, *, label: str = "") -> Row:
    box = Box(0, 0, 0, 0) if mask is None else mask.box
    return Row(
        number=0,
        source=source,
        label=label,
        file=path.relative_to(data).as_posix(),
        kind="" if mask is None else mask.kind,
        clump=int(mask is not None and bool(mask.reasons)),
        border=int(mask is not None and mask.touches_border),
        top=box.top,
        left=box.left,
        height=box.height,
        width=box.width,
        digest="" if mask is None else mask_digest(mask),
    )


def _numbered(rows: Sequence[Row]) -> list[Row]:
    return [Row(**{**asdict(row), "number": i}) for i, row in enumerate(rows, start=1)]
