"""Masks by two networks, or two states of the code, in one deck that readers judge blind.

    python benchmarks/segment_networks.py draw cells.onnx -o out/networks --sheets out/judge
    python benchmarks/segment_networks.py draw --beside ../older/src -o out/states
    python benchmarks/segment_networks.py judged -o out/networks

Readers draw their own line between good and bad, so masks are told apart only by readers who see
both and do not know which is which. ``draw`` cuts the same PBC images with the segmenter as it is
(``shipped``) and with the ``other``: another network, or another checkout's code. It shows the
central cells whose two masks differ (IoU under .97), and as many red cells of each and of each
source, drawn at random. ``judged`` reads what two readers said, ``judged-central-1.csv`` and so on,
and writes ``networks.json``. A mask is good if both say so.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from naturalize import images, seeds
from naturalize.errors import InputError
from naturalize.evaluate.compare import mcnemar
from naturalize.segment import Mask, Segmenter, Smear
from segment_agreement import iou, share_interval
from segment_digest import behaviour_digest
from segment_draw import (
    POOL_IMAGES,
    Row,
    current_masks,
    draw_central,
    draw_objects,
    drawn_mask,
    read_rows,
    refuse_existing,
    write_rows,
)
from segment_elsewhere import Elsewhere
from segment_judged import Judgement, agreement, good_by_both, read_judgement
from segment_sheets import pair, write_pages

NETWORKS = ("shipped", "other")
DRAWS = ("central", "objects")
SAME_IOU = 0.97
"""Above it a reader sees no difference between two outlines of one cell."""


@dataclass(frozen=True)
class Deck:
    """Masks by two networks as they were shown: ``rows`` by the network that made them."""

    rows: Mapping[str, Sequence[Row]]

    @property
    def numbers(self) -> set[int]:
        """The numbers of all tiles."""
        return {row.number for some in self.rows.values() for row in some}


def main() -> None:
    """Run the command line."""
    given = parser().parse_args()
    cv2.setNumThreads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    if given.step == "draw":
        draw(given)
    else:
        result = judged(given.out)
        (given.out / "networks.json").write_text(json.dumps(result, indent=1) + "\n")
        print(json.dumps(result, indent=1))


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("step", choices=("draw", "judged"))
    top.add_argument("network", nargs="?", help="draw: an ONNX file written by teach")
    top.add_argument("--beside", type=Path, help="draw: the src folder of another checkout")
    top.add_argument("--data", type=Path, default=Path("../shared/data"))
    top.add_argument("-o", "--out", type=Path, required=True)
    top.add_argument("--sheets", type=Path, default=Path("out/judge"))
    top.add_argument("--seed", type=int, default=0)
    top.add_argument("--per-class", type=int, default=20, help="PBC images of a class")
    top.add_argument("--red-cells", type=int, default=60, help="of each and source; may be 0")
    return top


def draw(given: argparse.Namespace) -> None:
    """Write tables of what is shown, and the sheets."""
    smears = dict(zip(NETWORKS, (Smear(), other_of(given)), strict=True))
    for name in DRAWS:
        for network in NETWORKS:
            refuse_existing(given.out / f"drawn-{name}-{network}.csv")
    looked_at, central = _central(smears, given)
    drawn = {"central": central}
    if given.red_cells:
        drawn["objects"] = _red_cells(smears, given)
    for name, rows in drawn.items():
        deck = shuffled(rows, seed=given.seed)
        for network, some in deck.rows.items():
            write_rows(given.out / f"drawn-{name}-{network}.csv", some)
        for path in _sheets(deck, smears, given, name):
            print(path)
    about: dict[str, object] = {
        network: smear.parameters() | {"behaviour": behaviour_digest(smear)}
        for network, smear in smears.items()
    }
    about |= {"draw": {"seed": given.seed, "central_cells": looked_at}}
    (given.out / "draw.json").write_text(json.dumps(about, indent=1) + "\n")


def other_of(given: argparse.Namespace) -> Segmenter:
    """Return what the segmenter as it is is compared with: by network, or by checkout."""
    if (given.network is None) == (given.beside is None):
        got = given.network and f"{given.network} and {given.beside}"
        raise InputError("network", "an ONNX file, or --beside with another checkout's src", got)
    return Elsewhere.of(given.beside) if given.network is None else Smear(network=given.network)


def _central(
    smears: Mapping[str, Segmenter], given: argparse.Namespace
) -> tuple[int, dict[str, list[Row]]]:
    """Return how many central cells were drawn, and those the networks outline differently."""
    drawn, outlines = {}, []
    for network, smear in smears.items():
        rows = draw_central(smear, given.data, given.per_class, seed=given.seed)
        drawn[network] = rows
        shown = current_masks(rows, smear, given.data)
        outlines.append({row.number: _outlined(row, masks, rgb) for row, rgb, masks in shown})
    alike = {number: iou(own, outlines[1][number]) for number, own in outlines[0].items()}
    return len(alike), {
        network: [row for row in rows if alike[row.number] < SAME_IOU]
        for network, rows in drawn.items()
    }


def _outlined(row: Row, masks: Sequence[Mask], rgb: images.Rgb) -> NDArray[np.bool_]:
    """Return the pixels of a drawn mask, bool of the image's shape; none where it found no cell."""
    mask = drawn_mask(row, masks)
    return np.zeros(rgb.shape[:2], np.bool_) if mask is None else mask.to_image(rgb.shape)


def _red_cells(smears: Mapping[str, Segmenter], given: argparse.Namespace) -> dict[str, list[Row]]:
    """Return red cells at random, as many of each network and source, of the same images."""
    found = {}
    for network, smear in smears.items():
        rows = draw_objects(smear, given.data, POOL_IMAGES, seed=given.seed)
        cells = [row for row in rows if row.kind == "RBC"]
        sources = sorted({row.source for row in cells})
        found[network] = [
            row
            for source in sources
            for row in [one for one in cells if one.source == source][: given.red_cells]
        ]
    return found


def shuffled(rows: Mapping[str, Sequence[Row]], *, seed: int) -> Deck:
    """Number the masks of both networks in one drawn order."""
    places = [(network, row) for network, some in rows.items() for row in some]
    order = seeds.child(seed, "deck").permutation(len(places))
    deck: dict[str, list[Row]] = {network: [] for network in rows}
    for number, place in enumerate(order, start=1):
        network, row = places[place]
        deck[network].append(replace(row, number=number))
    return Deck(deck)


def _sheets(
    deck: Deck, smears: Mapping[str, Segmenter], given: argparse.Namespace, name: str
) -> list[Path]:
    tiles: dict[int, images.Rgb] = {}
    for network, rows in deck.rows.items():
        for row, rgb, masks in current_masks(rows, smears[network], given.data):
            tiles[row.number] = pair(row, rgb, drawn_mask(row, masks))
    given.sheets.mkdir(parents=True, exist_ok=True)
    return write_pages([tiles[number] for number in sorted(tiles)], given.sheets, name)


def judged(folder: Path) -> dict[str, object]:
    """Return what two readers said of both networks' masks."""
    result: dict[str, object] = json.loads((folder / "draw.json").read_text())
    for name in DRAWS:
        tables = {n: folder / f"drawn-{name}-{n}.csv" for n in NETWORKS}
        if not any(table.exists() for table in tables.values()):
            continue
        deck = Deck({n: read_rows(table) for n, table in tables.items()})
        said = [read_judgement(folder / f"judged-{name}-{r}.csv", deck.numbers) for r in (1, 2)]
        compare = compared_pairs if name == "central" else compared_shares
        result[name] = compare(deck, said[0], said[1])
    return result


def compared_pairs(deck: Deck, first: Judgement, second: Judgement) -> dict[str, object]:
    """Compare the masks of the same cells: which are good by one network alone (McNemar 1947)."""
    good = good_by_both(first, second)
    by_file = [{row.file: good[row.number] for row in deck.rows[name]} for name in NETWORKS]
    files = sorted(by_file[0])
    said = [[str(some[file]) for file in files] for some in by_file]
    return {
        "differ": len(files),
        "good": {name: sum(some.values()) for name, some in zip(NETWORKS, by_file, strict=True)},
        "won": [file for file in files if by_file[1][file] and not by_file[0][file]],
        "lost": [file for file in files if by_file[0][file] and not by_file[1][file]],
        "mcnemar": asdict(mcnemar(["True"] * len(files), *said)),
        "agreement": agreement(first.good, second.good),
    }


def compared_shares(deck: Deck, first: Judgement, second: Judgement) -> dict[str, object]:
    """Compare the shares of good masks, which are of other cells of the same images."""
    good = good_by_both(first, second)
    found: dict[str, object] = {"agreement": agreement(first.good, second.good)}
    for name, rows in deck.rows.items():
        for source in ("all", *sorted({row.source for row in rows})):
            some = [row for row in rows if source in ("all", row.source)]
            share = share_interval(sum(good[row.number] for row in some), len(some))
            found[f"{name}, {source}"] = share
    return found


if __name__ == "__main__":
    main()
