"""Any folder with one sub-folder a class."""

from __future__ import annotations

from pathlib import PurePosixPath


def label_of(path: PurePosixPath) -> str | None:
    """Return the name of the first folder, or None for a file beside the class folders.

    >>> label_of(PurePosixPath("oak/2021/leaf 3.png"))
    'oak'
    """
    return path.parts[0] if len(path.parts) > 1 else None
