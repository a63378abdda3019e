"""A finding: one thing about one image that a person should know, with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from naturalize.datasets.manifest import write_table

FindingKind = Literal[
    "unreadable",
    "not_an_image",
    "duplicate",
    "near_duplicate",
    "same_field",
    "label_conflict",
    "multicell",
    "fragment",
    "no_centre_cell",
    "focus",
    "exposure",
    "source",
    "label_suspect",
]
TABLE = "findings.csv"


class Finding(BaseModel):
    """One row of ``findings.csv``.

    ``path`` is the image, ``other_path`` the one it is compared with (or empty), ``value`` the
    figure the finding rests on, ``reason`` a sentence for a person.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FindingKind
    path: str
    other_path: str = ""
    value: str = ""
    reason: str


def findings_table(findings: Iterable[Finding]) -> str:
    """Return the CSV text of ``findings.csv``."""
    return write_table(
        list(Finding.model_fields), (list(f.model_dump().values()) for f in findings)
    )
