"""All findings of a data set: one look at each image, then comparisons among the looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from naturalize.artefact import Draft
from naturalize.curate.cells_seen import usual_kinds, with_chromatin
from naturalize.curate.duplicates import find_duplicates
from naturalize.curate.exposure import find_exposure
from naturalize.curate.finding import Finding
from naturalize.curate.focus import find_focus
from naturalize.curate.fragment import find_fragments
from naturalize.curate.landmarks import Grey, reduction
from naturalize.curate.look import Look, look_at, read_looks
from naturalize.curate.multicell import find_multicell
from naturalize.curate.near_duplicates import find_near_duplicates
from naturalize.curate.no_centre_cell import find_no_centre_cell
from naturalize.curate.same_field import Fields, find_same_field, merge, propose_json
from naturalize.curate.source import acquisition_sources, find_source
from naturalize.datasets.manifest import Manifest, read_sample
from naturalize.datasets.sample import Sample
from naturalize.progress import Track
from naturalize.workers import run_all

CHUNK = 200
_CACHED_IMAGES = 64


@dataclass(frozen=True)
class _Chunk:
    """Some images to look at, and the draft that remembers what was seen."""

    draft: Path
    number: int
    root: Path
    samples: tuple[Sample, ...]
    factor: int


def find_all(manifest: Manifest, draft: Draft, *, workers: int, track: Track) -> list[Finding]:
    """Return the findings about ``manifest``, each long step remembered in ``draft``."""
    factor = _factor(manifest.samples)
    looks, findings = _look(manifest, draft, factor, workers, track)
    findings += find_duplicates(look.sample for look in looks)
    distinct = list({look.sample.sha256: look for look in reversed(looks)}.values())[::-1]
    samples, small = [look.sample for look in distinct], [look.small for look in distinct]
    read = _reader(manifest.root)
    near = list(find_near_duplicates(samples, small, read))
    findings += near
    proposed = _propose(small, draft, workers, track)
    for pair in _pairs(near, samples):
        proposed.pop(pair, None)
    confirming = track(proposed.items(), len(proposed), "same field: confirm")
    findings += find_same_field(samples, confirming, read, factor=factor)
    return findings + _by_cells(looks) + _unlike_the_rest(looks)


def _factor(samples: Sequence[Sample]) -> int:
    sides = [min(s.height_px, s.width_px) for s in samples if s.height_px]
    return reduction(np.array(sides)) if sides else 1


def _look(
    manifest: Manifest, draft: Draft, factor: int, workers: int, track: Track
) -> tuple[list[Look], list[Finding]]:
    """Look at every image, in chunks that an interrupted run need not repeat."""
    chunks = [
        _Chunk(draft.path, i, manifest.root, manifest.samples[start : start + CHUNK], factor)
        for i, start in enumerate(range(0, len(manifest.samples), CHUNK))
    ]
    done = run_all(_look_at_chunk, chunks, workers=workers)
    looks: list[Look] = []
    findings: list[Finding] = []
    texts = track(done, len(chunks), f"look ({CHUNK} images a step)")
    for text, chunk in zip(texts, chunks, strict=True):
        seen, bad = read_looks(text, chunk.samples)
        looks += seen
        findings += bad
    return looks, findings


def _look_at_chunk(chunk: _Chunk) -> str:
    work = partial(look_at, chunk.root, chunk.samples, factor=chunk.factor)
    return Draft(chunk.draft).remember(f"looks-{chunk.number}.json", work)


def _propose(
    small: Sequence[Grey], draft: Draft, workers: int, track: Track
) -> dict[tuple[int, int], tuple[int, int]]:
    """Search for pairs that may share a field, block by block of landmarks."""
    fields = Fields.of(small)
    blocks = fields.blocks()
    done = run_all(
        _propose_block, blocks, workers=workers, start=_hold, start_args=(fields, draft.path)
    )
    texts = list(track(done, len(blocks), "same field: search"))
    _held.clear()
    return merge(texts)


_held: list[tuple[Fields, Path]] = []
"""What each process searches; too large to be sent along with every block."""


def _hold(fields: Fields, draft: Path) -> None:
    _held[:] = [(fields, draft)]


def _propose_block(start: int) -> str:
    fields, draft = _held[0]
    return Draft(draft).remember(f"shifts-{start}.json", partial(propose_json, fields, start))


def _reader(root: Path) -> Callable[[Sample], Grey]:
    """Return a function that reads the green channel of a sample and keeps the latest ones."""

    @lru_cache(maxsize=_CACHED_IMAGES)
    def read(sample: Sample) -> Grey:
        return np.ascontiguousarray(read_sample(root, sample)[..., 1])

    return read


def _pairs(findings: Sequence[Finding], samples: Sequence[Sample]) -> set[tuple[int, int]]:
    """Return the pairs of images that findings name, as positions, in order."""
    position = {sample.id: i for i, sample in enumerate(samples)}
    pairs = ((position[f.path], position[f.other_path]) for f in findings)
    return {(min(pair), max(pair)) for pair in pairs}


def _by_cells(looks: Sequence[Look]) -> list[Finding]:
    """Judge which cells an image shows, and whether its class's stands at the centre."""
    samples, seen = [look.sample for look in looks], with_chromatin([look.cells for look in looks])
    usual = usual_kinds([sample.label for sample in samples], seen)
    return [
        *find_multicell(samples, seen, usual),
        *find_fragments(samples, seen, usual),
        *find_no_centre_cell(samples, seen, usual),
    ]


def _unlike_the_rest(looks: Sequence[Look]) -> list[Finding]:
    """Judge source, focus and exposure, which are told by comparison with all images."""
    samples = [look.sample for look in looks]
    paths = [sample.id for sample in samples]
    colours = np.array([look.background for look in looks], dtype=float).reshape(-1, 3)
    chroma = [look.chroma for look in looks]
    sources = acquisition_sources(colours, chroma)
    sharpnesses = np.array([look.sharpness for look in looks])
    figures = {
        "background": colours.mean(axis=1),
        "white": np.array([look.white for look in looks]),
        "black": np.array([look.black for look in looks]),
    }
    return [
        *find_focus(paths, sharpnesses, sources),
        *find_exposure(paths, figures, sources),
        *find_source(samples, sources, colours, chroma),
    ]
