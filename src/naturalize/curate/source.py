"""Finding: images of another acquisition source than most, where that gives the class away.

A second scanner, camera or export shows in the colour of the bare slide and in the chroma sampling
of the JPEG file. If it holds some classes and lacks others, a model can learn the source instead of
the cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from naturalize.artefact import Artefact
from naturalize.curate.finding import TABLE, Finding
from naturalize.datasets.manifest import read_table
from naturalize.datasets.sample import Sample
from naturalize.images import Rgb

MIN_IMAGES = 20
MIN_SHARE = 0.002
SIGNIFICANCE = 1e-3
LINK_LEVELS = 6.0
_BRIGHT = 95  # percentile of the green channel above which a pixel is taken for bare slide


def background(rgb: Rgb) -> tuple[int, int, int]:
    """Return the colour of the bare slide: the median of the brightest twentieth of the pixels."""
    green = rgb[..., 1]
    bright = rgb[green >= np.percentile(green, _BRIGHT)]
    red, green_level, blue = np.median(bright, axis=0).astype(int).tolist()
    return red, green_level, blue


def chroma_sampling(data: bytes) -> str:
    """Return how a JPEG file samples colour, as "4:4:4", "4:2:2", "4:2:0"; "" for other files.

    Read from the frame header (ITU-T T.81, B.2.2); nothing is decoded.
    """
    at = 2
    while data[:2] == b"\xff\xd8" and at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            factors = data[at + 11 : at + 11 + 3 * data[at + 9] : 3] if at + 10 < len(data) else b""
            return _sampling_name(factors)
        at += 2 + length
    return ""


def acquisition_sources(
    backgrounds: NDArray[np.float64], chroma: Sequence[str]
) -> NDArray[np.intp]:
    """Return the source of each image, 0 for the largest: (n, 3) colours, n names to (n,) numbers.

    Images of one chroma sampling belong together if a chain of background colours, each within
    ``LINK_LEVELS`` grey levels of the next, joins them. A chain too short to be a source joins the
    largest one of its chroma sampling, or of all.
    """
    linked = _linked(backgrounds, chroma)
    sizes = Counter(linked.tolist())
    needed = max(MIN_IMAGES, MIN_SHARE * len(linked))
    large = [
        s for s, n in sorted(sizes.items(), key=lambda item: (-item[1], item[0])) if n >= needed
    ]
    number = {source: i for i, source in enumerate(large)}
    home: dict[str, int] = {}
    for source in reversed(large):
        home[chroma[int(np.argmax(linked == source))]] = number[source]
    return np.array(
        [number.get(s, home.get(c, 0)) for s, c in zip(linked.tolist(), chroma, strict=True)],
        dtype=np.intp,
    )


def second_source(curated: Artefact) -> frozenset[str]:
    """Return the ids of images that a ``curated`` artefact found to be of another source."""
    rows = read_table(curated.path / TABLE)
    return frozenset(row["path"] for row in rows if row["kind"] == "source")


def find_source(
    samples: Sequence[Sample],
    sources: NDArray[np.intp],
    backgrounds: NDArray[np.float64],
    chroma: Sequence[str],
) -> Iterator[Finding]:
    """Name each image of a source that is not the largest and is unevenly spread over the classes.

    ``value`` is the share of the image's class that comes from its source.
    """
    labels = np.array([sample.label for sample in samples])
    for source in range(1, int(sources.max(initial=0)) + 1):
        inside = sources == source
        if not _uneven(labels, inside):
            continue
        reason = _reason(samples, labels, inside, backgrounds, chroma)
        for i in np.flatnonzero(inside).tolist():
            share = float(inside[labels == labels[i]].mean())
            yield Finding(kind="source", path=samples[i].id, value=f"{share:.3f}", reason=reason)


def _sampling_name(factors: bytes) -> str:
    """Name the sampling factors of the components; the high half of each is horizontal."""
    if len(factors) < 3:
        return "grey"
    names = {0x11: "4:4:4", 0x21: "4:2:2", 0x22: "4:2:0", 0x12: "4:4:0", 0x41: "4:1:1"}
    return names.get(factors[0], f"{factors[0]:#04x}")


def _linked(backgrounds: NDArray[np.float64], chroma: Sequence[str]) -> NDArray[np.intp]:
    """Return a chain number for each image; colours that are equal are looked at once."""
    kinds = {name: i for i, name in enumerate(sorted(set(chroma)))}
    apart = 1000.0 * np.array([kinds[name] for name in chroma])
    features = np.column_stack([backgrounds.reshape(-1, 3), apart])
    unique, which = np.unique(features, axis=0, return_inverse=True)
    pairs = cKDTree(unique).query_pairs(LINK_LEVELS, output_type="ndarray")
    ones = np.ones(len(pairs), dtype=bool)
    graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(unique), len(unique)))
    chain = connected_components(graph, directed=False)[1]
    return np.asarray(chain[which.ravel()], dtype=np.intp)


def _uneven(labels: NDArray[np.str_], inside: NDArray[np.bool_]) -> bool:
    """Whether the share of a source differs between classes by more than chance."""
    from scipy.stats import chi2_contingency  # takes longer than all else a reader loads

    classes = np.unique(labels)
    if len(classes) < 2 or inside.all():
        return False
    table = [[int((labels[part] == name).sum()) for name in classes] for part in (inside, ~inside)]
    return bool(chi2_contingency(table).pvalue < SIGNIFICANCE)


def _reason(
    samples: Sequence[Sample],
    labels: NDArray[np.str_],
    inside: NDArray[np.bool_],
    backgrounds: NDArray[np.float64],
    chroma: Sequence[str],
) -> str:
    """Describe one source: its look, and the classes it holds and lacks."""
    members = np.flatnonzero(inside).tolist()
    sizes = Counter(f"{samples[i].width_px}x{samples[i].height_px}" for i in members)
    colour = "/".join(f"{level:.0f}" for level in np.median(backgrounds[inside], axis=0))
    look = [f"background {colour}", ", ".join(size for size, _ in sizes.most_common(3)) + " px"]
    look += [f"chroma {name}"] if (name := chroma[members[0]]) else []
    held = set(labels[inside].tolist())
    lacked = sorted(set(labels.tolist()) - held)
    classes = f"it holds {', '.join(sorted(held))}" + (
        f" and no {', '.join(lacked)}" if lacked else ", unevenly"
    )
    return f"from another acquisition source ({'; '.join(look)}): {classes}"
