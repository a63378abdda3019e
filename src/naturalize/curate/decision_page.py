"""A contact sheet of all findings, on which a person decides and downloads ``decisions.csv``.

One HTML file with its pictures and its script inside: it needs no network and no server. Images
that nothing was found about are not on it. Without its script it is a plain list, fit for print.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import get_args

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from naturalize import images
from naturalize.curate.decision_card import Card, make_cards, shown
from naturalize.curate.decisions import CHOICES, COLUMNS, Decision
from naturalize.curate.finding import Finding, FindingKind
from naturalize.datasets.manifest import Manifest, read_sample
from naturalize.datasets.sample import Sample
from naturalize.errors import ImageError
from naturalize.page.block import Block, Callout, Prose
from naturalize.page.page import Section, render_page
from naturalize.page.table import Cell, Table
from naturalize.progress import Track, quiet
from naturalize.workers import run_all

PAGE = "curation.html"
MAX_IMAGES = 5_000
MAX_PICTURE_BYTES = 21_000_000
"""Of pictures in base64. With the text of :data:`MAX_IMAGES` images a page stays below 30 MB."""
THUMBNAIL_PX = 132
_JPEG_QUALITY = 72
_HOW = (
    "Choose for each image, then download decisions.csv and run naturalize curate again with "
    "--decisions decisions.csv. The file holds what you changed; all else follows the preset. "
    "Your choices are kept in this browser until then."
)


def decision_page(
    manifest: Manifest,
    findings: Sequence[Finding],
    *,
    dropping: Collection[str],
    decisions: Mapping[str, Decision],
    workers: int = 1,
    track: Track = quiet,
) -> str:
    """Return the page about ``findings``; kinds in ``dropping`` propose to drop their image.

    Images are read again for their thumbnails. At most :data:`MAX_IMAGES` images and
    :data:`MAX_PICTURE_BYTES` of pictures are shown; the page says what it leaves out.
    """
    cards = make_cards(manifest.samples, findings, dropping=dropping, decisions=decisions)
    few = cards[:MAX_IMAGES]
    pictures = _pictures(manifest, few, workers, track)
    bare = sum(not (card.locked or picture) for card, picture in zip(few, pictures, strict=True))
    desk = _Desk(tuple(few), tuple(pictures), manifest.classes)
    body: tuple[Block, ...] = (*_left_out(len(cards) - len(few), bare), desk)
    if not cards:
        body = (Prose("Nothing was found."),)
    sections = (
        Section("What was found", (_counts(cards, manifest.classes),)),
        Section("Image by image", body, lead=_HOW),
    )
    subtitle = f"{len(manifest.samples):,} images, {len(findings):,} findings"
    return render_page("Curation", sections, subtitle=subtitle, footer="Made by naturalize.")


def _counts(cards: Sequence[Card], classes: Sequence[str]) -> Table:
    """Count images by kind of finding and class."""
    found = Counter(
        (kind, card.label) for card in cards for kind in {f.kind for f in card.findings}
    )
    kinds = [kind for kind in get_args(FindingKind) if any(kind == k for k, _ in found)]
    columns = [*classes, *([""] if any(not label for _, label in found) else [])]
    rows: list[list[Cell]] = [
        [_words(kind), *(found[kind, c] for c in columns), sum(found[kind, c] for c in columns)]
        for kind in kinds
    ]
    header = ["finding", *(column or "no class" for column in columns), "all"]
    caption = (
        "Images by finding and class. An image can have several; a pair is counted at one image."
    )
    return Table(header, rows, caption, numeric=range(1, len(header)))


def _left_out(unseen: int, bare: int) -> tuple[Callout, ...]:
    said = []
    if unseen:
        said.append(f"{unseen:,} more images are in findings.csv only, to keep this page small.")
    if bare:
        said.append(f"{bare:,} images are listed without a picture, to keep this page small.")
    return (Callout(" ".join(said), tone="warning"),) if said else ()


def _pictures(
    manifest: Manifest, cards: Sequence[Card], workers: int, track: Track
) -> tuple[str, ...]:
    """Return each card's thumbnail in base64; empty where there is none or no room is left."""
    samples = {sample.id: sample for sample in manifest.samples}
    wanted = [samples[card.path] for card in cards if card.path in samples]
    made = run_all(partial(thumbnail, manifest.root), wanted, workers=workers)
    texts: dict[str, str] = {}
    room = MAX_PICTURE_BYTES
    for sample, text in zip(wanted, track(made, len(wanted), "thumbnails"), strict=True):
        room -= len(text)
        texts[sample.id] = text if room >= 0 else ""
    return tuple(texts.get(card.path, "") for card in cards)


def thumbnail(root: Path, sample: Sample) -> str:
    """Return a small JPEG of an image in base64, or nothing if it cannot be read."""
    try:
        rgb = read_sample(root, sample)
    except ImageError:
        return ""
    small = Image.fromarray(rgb)
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    data = images.encode_jpeg(np.asarray(small), quality=_JPEG_QUALITY, chroma="4:2:0")
    return base64.b64encode(data).decode("ascii")


@dataclass(frozen=True, eq=False)
class _Desk:
    """The cards with the controls to filter them and to decide."""

    cards: tuple[Card, ...]
    pictures: tuple[str, ...]
    classes: tuple[str, ...]

    def html(self) -> Markup:
        position = {card.path: i for i, card in enumerate(self.cards)}
        return Markup(
            _environment()
            .get_template("decisions.html")
            .render(
                cards=list(zip(self.cards, self.pictures, strict=True)),
                position=position,
                classes=self.classes,
                labels=sorted({card.label for card in self.cards if card.label}),
                kinds=[k for k in get_args(FindingKind) if any(k in c.kinds for c in self.cards)],
                choices=CHOICES,
                data=self._data(),
            )
        )

    def _data(self) -> Markup:
        """Return what the script knows of the cards, as JSON; its id tells pages apart."""
        entries = [
            {
                "path": card.path,
                "label": card.label,
                "kinds": card.kinds,
                "group": card.group,
                "proposed": card.proposed.decision,
                "decided": card.decided is not None,
                "locked": card.locked,
            }
            for card in self.cards
        ]
        digest = hashlib.sha256(json.dumps(entries).encode()).hexdigest()[:16]
        text = json.dumps({"id": digest, "columns": COLUMNS, "images": entries})
        return Markup(text.replace("<", "\\u003c"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("naturalize.curate"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(words=_words, shown=shown)
    return environment


def _words(kind: str) -> str:
    return kind.replace("_", " ")
