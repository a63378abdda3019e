"""A control: in place of each composite the real image that its cell was cut out of, once more.

An arm with it shows the same classes at the same steps as the arm with the composites, and the same
donors as often; what it lacks is all that composing makes new.
"""

from __future__ import annotations

from pathlib import Path

from naturalize.artefact import Artefact, Draft, IfExists, Request, build
from naturalize.compose.composite_set import DONORS, TABLE
from naturalize.compose.record import read_records
from naturalize.cutouts.bank import CutoutBank
from naturalize.datasets.manifest import read_bytes, write_table
from naturalize.split.leak_check import check_donors
from naturalize.split.split import RealSplit


def make_originals(composites: Artefact, out: Path, *, if_exists: IfExists = "refuse") -> Artefact:
    """Write a ``composites`` artefact with the donor's own file in place of each composite.

    Only donors on the train side of the bank's split are read; :class:`LeakError` for any other.
    """
    artefact = composites.input("bank")
    bank = CutoutBank.load(artefact)
    split = RealSplit.load(artefact.input("split"))
    samples = {sample.id: sample for sample in split.train}

    def write(draft: Draft) -> None:
        rows, used = [], set()
        for record in read_records(composites):
            subject = bank.by_id[record.scene.placements[0].cutout]
            donor = bank.donor_by_id[subject.sample_id]
            check_donors(split, [(donor.sample_id, donor.sha256)], what="originals")
            sample = samples[donor.sample_id]
            file = str(Path(record.file).with_suffix(Path(sample.id).suffix))
            draft.write(file, read_bytes(split.root, sample))
            rows.append([file, record.scene.label])
            used.add((donor.sample_id, donor.sha256))
        draft.write(TABLE, write_table(["file", "label"], rows))
        draft.write(DONORS, write_table(["sample_id", "sha256"], sorted(used)))
        draft.summary.update(images=len(rows), donors=len(used))

    inputs = {"bank": artefact, "composites": composites}
    return build(
        out, Request("composites", {"shows": "originals"}, inputs), write, if_exists=if_exists
    )
