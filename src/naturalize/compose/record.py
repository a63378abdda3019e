"""What a folder of composites keeps of each: enough to render it again and to prove it."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from naturalize.artefact import Artefact
from naturalize.compose.scene import Scene

RECORDS = "records.jsonl"


class Record(BaseModel):
    """One composite: its ``file`` below the folder, its number, digest of its decoded pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    index: int
    pixels_sha256: str
    scene: Scene

    def line(self) -> str:
        """Return the record as one line of JSON that :func:`read_records` reads back."""
        return self.model_dump_json() + "\n"


def read_records(composites: Artefact) -> Iterator[Record]:
    """Yield the records of a ``composites`` artefact, in order."""
    text = (composites.path / RECORDS).read_text(encoding="utf-8")
    return map(Record.model_validate_json, text.splitlines())
