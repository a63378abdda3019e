"""Public data sets that can be downloaded and compared with a shipped index."""

from __future__ import annotations

from dataclasses import dataclass

from naturalize.datasets import mendeley, pbc
from naturalize.errors import InputError


@dataclass(frozen=True)
class PublicSource:
    """Where a public data set lies: a file of a listing, and the index of what is in it."""

    name: str
    title: str
    licence: str
    listing_url: str
    file: str
    index: str


SOURCES: dict[str, PublicSource] = {
    "pbc": PublicSource(
        name="pbc",
        title="PBC, 17,092 images of single peripheral blood cells (Acevedo et al. 2020)",
        licence=pbc.LICENCE,
        listing_url=mendeley.LISTING.format(id="snkd93bnjr", version=1),
        file="PBC_dataset_normal_DIB.zip",
        index="pbc_index.csv.xz",
    ),
}


def public_source(name: str) -> PublicSource:
    """Return the source called ``name``; :class:`InputError` names those there are."""
    if name not in SOURCES:
        raise InputError("data set", " or ".join(SOURCES), name or "an empty name")
    return SOURCES[name]
