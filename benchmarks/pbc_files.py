"""What the files of PBC are: size, encoding and tint, counted by the prefix of their names.

    python benchmarks/pbc_files.py --data PBC_dataset_normal_DIB

writes ``docs/results/curate/pbc_files.json``, which ``benchmarks/pbc_page.py`` reads. It looks at
each file once: a minute for 17,000.
"""

from __future__ import annotations

import argparse
import io
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from naturalize import images
from naturalize.curate.source import background, chroma_sampling
from naturalize.errors import ImageError

OUT = Path(__file__).parents[1] / "docs" / "results" / "curate" / "pbc_files.json"
MAIN_SIZE = "360x363"


@dataclass(frozen=True)
class Kind:
    """Files alike in all these ways, and how many there are; ``size`` is width x height, px."""

    prefix: str
    size: str
    format: str
    chroma: str
    quality: str
    remark: str
    files: int

    @property
    def main(self) -> bool:
        """Whether they have the size nearly all files have."""
        return self.size == MAIN_SIZE


@dataclass(frozen=True)
class Files:
    """All files looked at.

    ``not_images`` are names; ``slide`` holds, for the ``main`` source and the ``second``, the 5th,
    50th and 95th percentile of the colour of the bare slide (red, green, blue); ``examples`` a file
    of each prefix and source.
    """

    kinds: tuple[Kind, ...]
    not_images: tuple[str, ...]
    slide: dict[str, list[list[int]]]
    examples: dict[str, str]

    def count(self, *, main: bool | None = None) -> Counter[str]:
        """Return the number of images of each prefix, of one source or both."""
        counts: Counter[str] = Counter()
        for kind in self.kinds:
            if main is None or kind.main == main:
                counts[kind.prefix] += kind.files
        return counts

    @classmethod
    def load(cls) -> Files:
        """Read what was measured last."""
        stored = json.loads(OUT.read_text())
        kinds = tuple(Kind(**kind) for kind in stored["kinds"])
        return cls(kinds, tuple(stored["not_images"]), stored["slide"], stored["examples"])


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of the data")
    save(measure(parser.parse_args().data))


def save(files: Files) -> None:
    """Write what was measured."""
    OUT.write_text(json.dumps(asdict(files), indent=1) + "\n")


def measure(data: Path) -> Files:
    """Look at each file below ``data``."""
    kinds: Counter[tuple[str, ...]] = Counter()
    colours: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
    not_images = []
    examples: dict[str, str] = {}
    for path in sorted(p for p in data.rglob("*") if p.is_file()):
        name = path.relative_to(data).as_posix()
        raw = path.read_bytes()
        try:
            rgb = images.decode(raw, name=name)
        except ImageError:
            not_images.append(name)
            continue
        size = f"{rgb.shape[1]}x{rgb.shape[0]}"
        source = "main" if size == MAIN_SIZE else "second"
        kinds[prefix(name), size, *_encoding(raw)] += 1
        colours[source].append(background(rgb))
        examples.setdefault(f"{prefix(name)} {source}", name)
    return Files(
        tuple(Kind(*kind, files) for kind, files in sorted(kinds.items())),
        tuple(not_images),
        {source: _spread(found) for source, found in colours.items()},
        examples,
    )


def prefix(name: str) -> str:
    """Return what stands before the number in a file name."""
    return PurePosixPath(name).name.partition("_")[0]


def _encoding(raw: bytes) -> tuple[str, str, str, str]:
    """Return format, chroma sampling, quality and the remark of the program that wrote it."""
    with Image.open(io.BytesIO(raw)) as image:
        if image.format != "JPEG":
            return image.format or "", "", "", ""
        quality = _quality(np.array(image.quantization[0]))
        remark = image.info.get("comment", b"").decode("latin-1").strip("\0")
        return "JPEG", chroma_sampling(raw), quality, remark


def _quality(table: NDArray[np.integer]) -> str:
    """Return the quality whose luminance table in libjpeg comes nearest."""
    return str(int(np.abs(_tables() - table).sum(axis=1).argmin()) + 1)


@cache
def _tables() -> NDArray[np.integer]:
    """Return libjpeg's luminance tables for the qualities 1 to 100, (100, 64)."""
    found = []
    for quality in range(1, 101):
        data = images.encode_jpeg(np.zeros((8, 8, 3), np.uint8), quality=quality)
        with Image.open(io.BytesIO(data)) as image:
            found.append(image.quantization[0])  # type: ignore[attr-defined]
    return np.array(found)


def _spread(colours: Sequence[tuple[int, int, int]]) -> list[list[int]]:
    percentiles: list[list[int]] = (
        np.percentile(np.array(colours), [5, 50, 95], axis=0).round().astype(int).tolist()
    )
    return percentiles


if __name__ == "__main__":
    main()
