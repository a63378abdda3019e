"""The bank that composites are made from: proven first, opened once a process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from naturalize.artefact import Artefact, open_artefact
from naturalize.cutouts.bank import CutoutBank
from naturalize.split.leak_check import check_donors
from naturalize.split.paper_split import open_split


def proven_bank(bank: Artefact) -> CutoutBank:
    """Return a bank that holds train images of its split only, or raise :class:`LeakError`."""
    loaded = CutoutBank.load(bank)
    donors = ((row.sample_id, row.sha256) for row in loaded.donors)
    check_donors(open_split(bank.input("split")), donors, what=f"bank {bank.path}")
    return loaded


def opened_bank(bank: Artefact) -> CutoutBank:
    """Return a bank proven before; a process opens it once."""
    return _opened(bank.path, bank.id)


@lru_cache(maxsize=1)
def _opened(path: Path, bank_id: str) -> CutoutBank:
    return CutoutBank.load(open_artefact(path, "bank"))
