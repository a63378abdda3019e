"""The protocol of Abou Ali et al. 2023: composites of all images first, then the split.

Its test sides hold composites, and cells of test images are in train. It is here to reproduce the
paper's tables, beside which the same predictions are scored on real images alone. Whatever is made
from a :class:`PaperSplit` is stamped so (``artefact.build``), and nothing that came from a
:class:`~naturalize.split.split.RealSplit` goes together with it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.datasets.manifest import (
    Manifest,
    data_root,
    read_table,
    root_entry,
    samples_from_rows,
    samples_table,
)
from naturalize.datasets.sample import Sample
from naturalize.errors import InputError
from naturalize.images import size
from naturalize.split.by_group import assign_sides, cap_per_class
from naturalize.split.make_split import FRACTIONS
from naturalize.split.split import SIDES, TABLE, RealSplit, Side

KIND = "paper-split"
COMPOSITE = "composite"
"""The source of a sample that is no photograph."""


@dataclass(frozen=True)
class PaperSplit:
    """Real images and composites, dealt out at random: no leak check would pass.

    Fields as those of :class:`~naturalize.split.split.RealSplit`; composites are samples whose
    source is :data:`COMPOSITE`.
    """

    id: str
    root: Path
    classes: tuple[str, ...]
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[Sample, ...]

    def side(self, name: Side) -> tuple[Sample, ...]:
        """Return the samples of one side."""
        return {"train": self.train, "val": self.val, "test": self.test}[name]

    @classmethod
    def load(cls, artefact: Artefact) -> PaperSplit:
        """Read a ``paper-split`` artefact; :class:`InputError` for any other."""
        if artefact.kind != KIND:
            raise InputError(str(artefact.path), f"a {KIND} folder", f"a {artefact.kind} folder")
        path = artefact.path / TABLE
        rows = read_table(path)
        samples = samples_from_rows(rows, path)
        by_side = {
            side: tuple(s for s, r in zip(samples, rows, strict=True) if r["side"] == side)
            for side in SIDES
        }
        return cls(artefact.id, data_root(artefact), tuple(artefact.summary["classes"]), **by_side)


AnySplit = RealSplit | PaperSplit


def open_split(artefact: Artefact) -> AnySplit:
    """Read a split of either protocol, as the kind of the artefact says."""
    return PaperSplit.load(artefact) if artefact.kind == KIND else RealSplit.load(artefact)


def make_pool(curated: Artefact, out: Path, *, if_exists: IfExists = "refuse") -> Artefact:
    """Write a ``paper-split`` with every image on the train side: what composites are made from."""
    manifest = Manifest.load(curated)

    def write(draft: Draft) -> None:
        sides = {sample.id: "train" for sample in manifest.samples}
        _write(draft, manifest.samples, sides, manifest.classes, root_entry(manifest.root, out))

    return build(
        out, Request(KIND, {"pool": True}, {"curated": curated}), write, if_exists=if_exists
    )


def make_paper_split(
    pool: Artefact,
    composites: Artefact | None,
    out: Path,
    *,
    seed: int = 0,
    cap: int | None = None,
    if_exists: IfExists = "refuse",
) -> Artefact:
    """Write a ``paper-split`` of all images of ``pool`` and ``composites`` together, 80/10/10.

    Each image is dealt out for itself, as the paper does; ``cap`` keeps at most so many real images
    of a class.
    """
    real = PaperSplit.load(pool)
    root = Path(os.path.commonpath([real.root, composites.path if composites else real.root]))

    def write(draft: Draft) -> None:
        kept = real.train if cap is None else cap_per_class(real.train, cap, seed=seed)
        prefix = real.root.relative_to(root)
        samples = [s.model_copy(update={"id": (prefix / s.id).as_posix()}) for s in kept]
        samples += _composites(composites, root) if composites is not None else []
        alone = [sample.model_copy(update={"group": sample.id}) for sample in samples]
        sides = assign_sides(alone, seed=seed, fractions=FRACTIONS)
        _write(draft, alone, sides, real.classes, root_entry(root, out))

    inputs = {"pool": pool} | ({"composites": composites} if composites is not None else {})
    return build(out, Request(KIND, {"cap": cap}, inputs, seed), write, if_exists=if_exists)


def _composites(composites: Artefact, root: Path) -> list[Sample]:
    found = []
    for row in read_table(composites.path / "composites.csv"):
        path = composites.path / row["file"]
        data = path.read_bytes()
        height_px, width_px = size(data, name=str(path))
        name = path.relative_to(root).as_posix()
        found.append(
            Sample(
                id=name,
                label=row["label"],
                group=name,
                source=COMPOSITE,
                height_px=height_px,
                width_px=width_px,
                sha256=hashlib.sha256(data).hexdigest(),
            )
        )
    return found


def _write(
    draft: Draft,
    samples: tuple[Sample, ...] | list[Sample],
    sides: dict[str, str],
    classes: tuple[str, ...],
    root: str,
) -> None:
    draft.write(TABLE, samples_table(samples, extra=sides))
    synthetic = sum(sample.source == COMPOSITE for sample in samples)
    draft.summary.update(
        classes=list(classes), root=root, images=len(samples), composites=synthetic
    )
