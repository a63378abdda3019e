"""What is known of a file without decoding it: whether it is an image, its size and digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from naturalize import images
from naturalize.artefact import Draft
from naturalize.datasets.file_tree import SetAside, read_regular
from naturalize.errors import ImageError, NotAnImageError
from naturalize.progress import Track

CHUNK = 1000


@dataclass(frozen=True)
class FileFacts:
    """An image file by its path below the root; sides are 0 where its header is damaged."""

    name: str
    height_px: int
    width_px: int
    sha256: str


def examine_files(
    draft: Draft, root: Path, names: Sequence[str], track: Track
) -> tuple[list[FileFacts], list[SetAside]]:
    """Look at every file, remembering finished chunks for a resumed run; set aside the rest.

    Kinds: ``not_an_image``, and ``unreadable`` for a file that cannot be read, has vanished, or
    fails half-way.
    """
    facts: list[FileFacts] = []
    aside: list[SetAside] = []
    starts = range(0, len(names), CHUNK)
    for number, start in enumerate(track(starts, len(starts), f"import ({CHUNK} files a step)")):

        def look(start: int = start) -> str:
            looked = [_examine(root, name) for name in names[start : start + CHUNK]]
            return json.dumps(
                [asdict(one) if isinstance(one, FileFacts) else one for one in looked]
            )

        for one in json.loads(draft.remember(f"files-{number}.json", look)):
            if isinstance(one, dict):
                facts.append(FileFacts(**one))
            else:
                aside.append(tuple(one))
    return facts, aside


def _examine(root: Path, name: str) -> FileFacts | SetAside:
    try:
        data, refused = read_regular(root / name)
    except (OSError, ValueError) as error:
        return name, "unreadable", str(getattr(error, "strerror", None) or error)
    if refused:
        return name, "not_an_image", refused
    try:
        height_px, width_px = images.size(data, name=name)
    except NotAnImageError:
        reason = "its first bytes are no image format's" if data else "an empty file"
        return name, "not_an_image", reason
    except ImageError:
        height_px = width_px = 0
    return FileFacts(name, height_px, width_px, hashlib.sha256(data).hexdigest())
