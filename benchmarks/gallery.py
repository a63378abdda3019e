"""A contact sheet of phantom images, beside real ones where a PBC folder is at hand.

Example: ``python benchmarks/gallery.py --data ../shared/data -o out/gallery.png``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw

from naturalize import images, seeds
from naturalize.datasets.phantom_classes import CLASSES
from naturalize.datasets.phantom_field import render
from naturalize.datasets.phantom_slide import sample_slide

TILE, GAP, COLUMNS = 363, 6, 4


def phantoms(label: str, seed: int) -> list[images.Rgb]:
    """Render a row of phantom images, each on its own slide."""
    names = [(seed, "gallery", label, column) for column in range(COLUMNS)]
    return [
        render(label, rng=seeds.child(*name), slide=sample_slide(seeds.child(*name, "slide"))).image
        for name in names
    ]


def real(label: str, folder: Path, seed: int) -> list[images.Rgb]:
    """Choose a row of real images by their file names' prefix; fewer where there are fewer."""
    prefix = "PLATELET" if label == "PLT" else label
    files = sorted(folder.rglob(f"{prefix}_*.jpg"))
    if not files:
        return []
    chosen = seeds.child(seed, "real", label).choice(len(files), min(COLUMNS, len(files)), False)
    return [images.read(files[int(index)]) for index in chosen]


def sheet(rows: dict[str, list[images.Rgb]], scale: float) -> Image.Image:
    """Paste one labelled row per class on a white page."""
    columns = max(len(row) for row in rows.values())
    step = TILE + GAP
    page = Image.new("RGB", (columns * step, len(rows) * step), "white")
    draw = ImageDraw.Draw(page)
    for line, (label, row) in enumerate(rows.items()):
        for column, tile in enumerate(row):
            page.paste(Image.fromarray(tile[:TILE, :TILE]), (column * step, line * step))
            name = f"{label} phantom" if column < COLUMNS else f"{label} real"
            draw.text((column * step + 6, line * step + 4), name, fill="black", font_size=22)
    return page.resize(
        (round(page.width * scale), round(page.height * scale)), Image.Resampling.LANCZOS
    )


def main() -> None:
    """Write the contact sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of real PBC images")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/gallery.png"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--classes", nargs="+", default=CLASSES, choices=CLASSES)
    parser.add_argument("--scale", type=float, default=0.5)
    args = parser.parse_args()
    rows = {
        label: phantoms(label, args.seed) + (real(label, args.data, args.seed) if args.data else [])
        for label in args.classes
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    sheet(rows, args.scale).save(args.out)
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
