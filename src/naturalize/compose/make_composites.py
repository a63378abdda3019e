"""Fill a folder with composites, each with the record it can be rendered again from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.compose.composite_set import DONORS, TABLE
from naturalize.compose.deal import deal_labels
from naturalize.compose.numbered import compose_numbered, composite_name
from naturalize.compose.open_bank import opened_bank, proven_bank
from naturalize.compose.recipe import Recipe
from naturalize.compose.record import RECORDS, Record, read_records
from naturalize.compose.render import render
from naturalize.cutouts.bank import CutoutBank
from naturalize.datasets.manifest import write_table
from naturalize.progress import Track, quiet
from naturalize.workers import run_all

RECIPE = "recipe.yaml"
CHUNK = 50


def make_composites(
    bank: Artefact,
    out: Path,
    *,
    recipe: Recipe,
    count: int | None = None,
    seed: int = 0,
    workers: int = 1,
    if_exists: IfExists = "refuse",
    track: Track = quiet,
) -> Artefact:
    """Write a ``composites`` artefact of ``count`` images made by ``recipe`` from ``bank``.

    ``count`` may be left out where the recipe says how many each class gets.

    The bank is first proven to hold train images of its split only, or :class:`LeakError` raised.
    Image i depends on the bank, the recipe, the seed and i alone: any number of workers and any
    interruption give the same folder.
    """
    loaded = proven_bank(bank)
    labels = deal_labels(recipe, loaded, count)
    count = len(labels)

    def write(draft: Draft) -> None:
        draft.write(RECIPE, recipe.yaml())
        chunks = [list(range(s, min(s + CHUNK, count))) for s in range(0, count, CHUNK)]
        work = partial(_compose_chunk, bank, recipe, labels, seed, draft.path)
        done = run_all(work, chunks, workers=workers)
        what = f"compose ({CHUNK} images a step)"
        records = [line for text in track(done, len(chunks), what) for line in text.splitlines()]
        _write_tables(draft, [Record.model_validate_json(line) for line in records], loaded)

    parameters = {"recipe": recipe.model_dump(mode="json"), "count": count}
    request = Request("composites", parameters, {"bank": bank}, seed)
    return build(out, request, write, if_exists=if_exists)


def replay(composites: Artefact) -> Iterator[tuple[str, bool]]:
    """Render every composite again from its record; yield its file and whether pixels agree."""
    bank = CutoutBank.load(composites.input("bank"))
    recipe = Recipe.model_validate(composites.manifest["parameters"]["recipe"])
    for record in read_records(composites):
        again = render(record.scene, bank, recipe).pixels_sha256()
        yield record.file, again == record.pixels_sha256


def _compose_chunk(
    artefact: Artefact,
    recipe: Recipe,
    labels: tuple[str, ...],
    seed: int,
    draft: Path,
    indices: list[int],
) -> str:
    """Compose the images of one chunk unless an interrupted run did; return their records."""

    def work() -> str:
        bank = opened_bank(artefact)
        return "".join(_compose_one(bank, recipe, labels[i], seed, draft, i) for i in indices)

    return Draft(draft).remember(f"records-{indices[0]}.jsonl", work)


def _compose_one(
    bank: CutoutBank, recipe: Recipe, label: str, seed: int, draft: Path, index: int
) -> str:
    composite = compose_numbered(recipe, bank, label, index, seed=seed)
    file = f"images/{label}/{composite_name(label, index)}.jpg"
    Draft(draft).write(file, composite.jpeg)
    digest = composite.pixels_sha256()
    return Record(file=file, index=index, pixels_sha256=digest, scene=composite.scene).line()


def _write_tables(draft: Draft, records: list[Record], bank: CutoutBank) -> None:
    scenes = [record.scene for record in records]
    donors = {scene.plate for scene in scenes}
    for scene in scenes:
        donors |= {bank.by_id[name].sample_id for name in scene.cutouts}
    draft.write(RECORDS, "".join(record.line() for record in records))
    rows = ((record.file, record.scene.label) for record in records)
    draft.write(TABLE, write_table(["file", "label"], rows))
    used = sorted(donors)
    shas = [(name, bank.donor_by_id[name].sha256) for name in used]
    draft.write(DONORS, write_table(["sample_id", "sha256"], shas))
    unplaced: Counter[str] = Counter()
    for scene in scenes:
        unplaced.update(scene.unplaced)
    counts = Counter(scene.label for scene in scenes)
    objects = sum(len(scene.placements) for scene in scenes)
    draft.summary.update(
        classes=list(bank.classes),
        counts={label: counts[label] for label in bank.classes},
        donors=len(used),
        objects_per_image=round(objects / len(scenes), 2),
        unplaced=dict(unplaced),
        without_cutouts=[label for label in bank.classes if not bank.subjects(label)],
        split_id=bank.split_id,
    )
