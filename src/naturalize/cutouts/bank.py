"""The bank: every cutout and plate of the train images, opened lazily.

Format, without pickle: ``shards/NNNNN.npy`` are flat uint8 arrays; ``cutouts.csv`` says where each
cutout lies in them (h*w*3 bytes of pixels, then h*w of weight), ``donors.csv`` holds one row an
image cut up (surface, digest, where its noise tiles lie, and after them its own file, if it shows
a subject), ``turned_down.csv`` what was not taken,
why, and its outline, ``statistics.json`` what the images look like, ``contact.html`` all of it for
a person to look at, ``masks.csv`` the label images it was cut by where a user gave some.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from naturalize.artefact import Artefact
from naturalize.cutouts.cutout import Cutout
from naturalize.cutouts.plate import TILE_PX, Plate
from naturalize.cutouts.statistics import FieldStatistics
from naturalize.cutouts.triage import Refusal, TurnedDown
from naturalize.datasets.manifest import read_table
from naturalize.errors import InputError
from naturalize.geometry import Box
from naturalize.images import Rgb, decode
from naturalize.optics import PlateSurface
from naturalize.segment import Kind, Mask

CUTOUTS = "cutouts.csv"
DONORS = "donors.csv"
TURNED_DOWN = "turned_down.csv"
STATISTICS = "statistics.json"
CONTACT = "contact.html"
MASKS = "masks.csv"
TERMS = [f"{channel}{term}" for channel in "rgb" for term in range(6)]
CUTOUT_COLUMNS = [
    "id", "kind", "label", "sample_id", "top", "left", "height", "width", "area_px", "shard",
    "offset",
]  # fmt: skip
DONOR_COLUMNS = [
    "sample_id", "sha256", "label", "height_px", "width_px", *TERMS, "tiles", "file_bytes", "shard",
    "offset",
]  # fmt: skip
TURNED_DOWN_COLUMNS = [
    "id", "kind", "reason", "detail", "sample_id", "top", "left", "height", "width", "outline",
]  # fmt: skip
BYSTANDERS: tuple[Kind, ...] = ("RBC", "PLT", "OBJ")
_KEPT_MIB, _KEPT_LEAST = 64, 64
"""Cutouts kept in memory: those of a scene, drawn first and painted next, and a small bank's."""
_BYTES_PX = 17
"""What a pixel of a cutout takes: its colour, weight, mask and transmittance."""


@dataclass(frozen=True)
class CutoutRow:
    """Where a cutout lies and what it is, without its pixels."""

    id: str
    kind: Kind
    label: str
    sample_id: str
    box: Box
    area_px: int
    shard: int
    offset: int


@dataclass(frozen=True)
class DonorRow:
    """An image that was cut up; ``tiles`` is 0 where it gave no plate.

    ``file_bytes`` is the size of its file, which the bank keeps; 0 where it shows no
    subject, and in banks of earlier versions.
    """

    sample_id: str
    sha256: str
    label: str
    surface: PlateSurface
    height_px: int
    width_px: int
    tiles: int
    file_bytes: int
    shard: int
    offset: int


@dataclass(frozen=True, eq=False)
class CutoutBank:
    """Cutouts by kind and class, plates and statistics of one split's train images."""

    id: str
    folder: Path
    split_id: str
    classes: tuple[str, ...]
    rows: tuple[CutoutRow, ...]
    donors: tuple[DonorRow, ...]
    statistics: FieldStatistics

    @classmethod
    def load(cls, artefact: Artefact) -> CutoutBank:
        """Read the tables of a ``bank`` artefact; pixels are read when asked for.

        Raises :class:`InputError` for a damaged bank.
        """
        try:
            split_id = artefact.manifest["inputs"]["split"]["id"]
            classes = tuple(artefact.summary["classes"])
            return cls.read(artefact.path, bank_id=artefact.id, split_id=split_id, classes=classes)
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise InputError(
                str(artefact.path), "a whole bank", f"a damaged one: {error}"
            ) from error

    @classmethod
    def read(
        cls, folder: Path, *, bank_id: str, split_id: str, classes: tuple[str, ...]
    ) -> CutoutBank:
        """Read the tables in ``folder``, be it finished or not."""
        return cls(
            id=bank_id,
            folder=folder,
            split_id=split_id,
            classes=classes,
            rows=tuple(_cutout_row(r) for r in read_table(folder / CUTOUTS)),
            donors=tuple(_donor_row(r) for r in read_table(folder / DONORS)),
            statistics=FieldStatistics.model_validate_json((folder / STATISTICS).read_bytes()),
        )

    def only(self, rows: Sequence[CutoutRow]) -> CutoutBank:
        """Return the part of the bank that ``rows`` need, to be sent to another process."""
        names = {row.sample_id for row in rows}
        donors = tuple(donor for donor in self.donors if donor.sample_id in names)
        return replace(self, rows=tuple(rows), donors=donors)

    def turned_down(self) -> list[TurnedDown]:
        """Read what was not taken, and why."""
        return [_turned_down(row) for row in read_table(self.folder / TURNED_DOWN)]

    @cached_property
    def by_id(self) -> dict[str, CutoutRow]:
        """Cutout rows by id."""
        return {row.id: row for row in self.rows}

    @cached_property
    def donor_by_id(self) -> dict[str, DonorRow]:
        """Donor rows by sample id."""
        return {row.sample_id: row for row in self.donors}

    @cached_property
    def plates(self) -> tuple[DonorRow, ...]:
        """The donors that gave a plate."""
        return tuple(row for row in self.donors if row.tiles)

    @cached_property
    def plate_colours(self) -> NDArray[np.float64]:
        """Colour at the centre of each of :attr:`plates`, float64 (n, 3)."""
        return _colours(self.plates)

    @cached_property
    def donor_colours(self) -> NDArray[np.float64]:
        """Colour of the slide at the centre of each of :attr:`donors`, float64 (n, 3)."""
        return _colours(self.donors)

    @cached_property
    def bystanders(self) -> dict[Kind, tuple[tuple[CutoutRow, ...], NDArray[np.intp]]]:
        """What is no subject, by kind, with the places of its donors in :attr:`donors`."""
        places = {donor.sample_id: place for place, donor in enumerate(self.donors)}
        found: dict[Kind, tuple[tuple[CutoutRow, ...], NDArray[np.intp]]] = {}
        for kind in BYSTANDERS:
            rows = tuple(row for row in self.rows if row.kind == kind and not row.label)
            found[kind] = rows, np.array([places[row.sample_id] for row in rows], np.intp)
        return found

    @cached_property
    def bystander_kinds(self) -> tuple[Kind, ...]:
        """What may lie beside a subject: red cells and platelets, or objects of any kind."""
        plain = any(row.kind == "OBJ" for row in self.rows)
        return ("OBJ",) if plain else ("RBC", "PLT")

    def subjects(self, label: str) -> tuple[CutoutRow, ...]:
        """Return the cutouts that are the subject of an image of class ``label``."""
        return self._subjects.get(label, ())

    @cached_property
    def _subjects(self) -> dict[str, tuple[CutoutRow, ...]]:
        return {
            label: tuple(row for row in self.rows if row.label == label) for label in self.classes
        }

    def turned_down_of(self, sample_id: str) -> tuple[TurnedDown, ...]:
        """Return what was not taken of one donor, and why."""
        return self._turned_down_of.get(sample_id, ())

    @cached_property
    def _turned_down_of(self) -> dict[str, tuple[TurnedDown, ...]]:
        found: dict[str, tuple[TurnedDown, ...]] = {}
        for one in self.turned_down():
            found[one.sample_id] = *found.get(one.sample_id, ()), one
        return found

    def rows_of(self, sample_id: str) -> Sequence[CutoutRow]:
        """Return the cutouts of one donor."""
        return self._rows_of.get(sample_id, ())

    def masks(self, sample_id: str) -> list[Mask]:
        """Return what was cut out of one donor as masks on it; nuclei are not kept."""
        found = []
        for row in self.rows_of(sample_id):
            found.append(Mask(row.kind, row.box, self.cutout(row.id).mask, None, 1.0, False))
        return found

    @cached_property
    def _rows_of(self) -> dict[str, list[CutoutRow]]:
        rows_of: dict[str, list[CutoutRow]] = {}
        for row in self.rows:
            rows_of.setdefault(row.sample_id, []).append(row)
        return rows_of

    def cutout(self, cutout_id: str) -> Cutout:
        """Return one cutout with its pixels; the last ones asked for are kept in memory."""
        return self._cutout(cutout_id)

    @cached_property
    def _cutout(self) -> Callable[[str], Cutout]:
        """Reads a cutout, or finds it among as many as take 64 MiB if they are of mean size."""
        total = sum(row.box.height * row.box.width for row in self.rows) * _BYTES_PX
        count = _KEPT_MIB * 2**20 * len(self.rows) // max(total, 1)
        return lru_cache(maxsize=max(count, _KEPT_LEAST))(self._read_cutout)

    def _read_cutout(self, cutout_id: str) -> Cutout:
        row = self.by_id[cutout_id]
        donor = self.donor_by_id[row.sample_id]
        h, w = row.box.height, row.box.width
        data = self._bytes(row, h * w * 4)
        return Cutout(
            id=row.id,
            kind=row.kind,
            label=row.label,
            sample_id=row.sample_id,
            box=row.box,
            pixels=data[: h * w * 3].reshape(h, w, 3),
            weight=data[h * w * 3 :].reshape(h, w),
            surface=donor.surface,
            donor_px=(donor.height_px, donor.width_px),
        )

    def plate(self, sample_id: str) -> Plate:
        """Return the plate of one donor."""
        row = self.donor_by_id[sample_id]
        data = self._bytes(row, row.tiles * TILE_PX * TILE_PX * 3)
        tiles = data.reshape(row.tiles, TILE_PX, TILE_PX, 3)
        return Plate(sample_id, row.surface, row.height_px, row.width_px, tiles)

    def picture(self, sample_id: str) -> Rgb:
        """Return the whole image of a donor that shows a subject, uint8 (height, width, 3)."""
        row = self.donor_by_id[sample_id]
        behind = row.tiles * TILE_PX * TILE_PX * 3
        data = self._bytes(row, behind + row.file_bytes)[behind:]
        return decode(data.tobytes(), name=sample_id, proven=True)

    def _bytes(self, row: CutoutRow | DonorRow, count: int) -> NDArray[np.uint8]:
        """Read what lies in a shard; none is kept open or mapped, so memory stays flat."""
        path, start = self._shard(row.shard)
        with path.open("rb", buffering=0) as file:
            file.seek(start + row.offset)
            return np.frombuffer(file.read(count), np.uint8)

    def _shard(self, number: int) -> tuple[Path, int]:
        """Return the file of a shard and where its bytes begin, behind the header."""
        if number not in self._shards:
            path = shard_path(self.folder, number)
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
            self._shards[number] = path, int(mapped.offset)
        return self._shards[number]

    @cached_property
    def _shards(self) -> dict[int, tuple[Path, int]]:
        return {}


def _colours(donors: Sequence[DonorRow]) -> NDArray[np.float64]:
    """Return (n, 3), each channel in one piece, as it is compared."""
    colours = np.array([row.surface.coefficients[:, 0] for row in donors], dtype=np.float64)
    return np.asfortranarray(colours.reshape(-1, 3))


def shard_path(folder: Path, number: int) -> Path:
    """Return where a shard of the bank in ``folder`` lies."""
    return folder / "shards" / f"{number:05d}.npy"


def _box(row: dict[str, str]) -> Box:
    return Box(int(row["top"]), int(row["left"]), int(row["height"]), int(row["width"]))


def _turned_down(row: dict[str, str]) -> TurnedDown:
    refusal = Refusal(row["reason"], row["detail"])
    return TurnedDown(row["id"], row["kind"], refusal, row["sample_id"], _box(row), row["outline"])


def _cutout_row(row: dict[str, str]) -> CutoutRow:
    kind: Kind = next(kind for kind in get_args(Kind) if kind == row["kind"])
    return CutoutRow(
        row["id"],
        kind,
        row["label"],
        row["sample_id"],
        _box(row),
        int(row["area_px"]),
        int(row["shard"]),
        int(row["offset"]),
    )


def _donor_row(row: dict[str, str]) -> DonorRow:
    coefficients = np.array([float(row[term]) for term in TERMS]).reshape(3, 6)
    return DonorRow(
        row["sample_id"],
        row["sha256"],
        row["label"],
        PlateSurface(coefficients),
        int(row["height_px"]),
        int(row["width_px"]),
        int(row["tiles"]),
        int(row.get("file_bytes") or 0),
        int(row["shard"]),
        int(row["offset"]),
    )
