"""The default segmenter as another checkout of the code has it, in this process."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from naturalize.errors import InputError
from naturalize.geometry import Box
from naturalize.images import Rgb
from naturalize.segment import Mask, Segmenter


@dataclass(frozen=True)
class Elsewhere(Segmenter):
    """``smear`` of the checkout whose ``src`` folder is given."""

    smear: Any
    read: Callable[[Path], Rgb]

    @classmethod
    def of(cls, src: Path) -> Elsewhere:
        """Import it, and put the modules of this checkout back."""
        if not (src / "naturalize").is_dir():
            raise InputError("beside", "the src folder of another checkout", src)
        own = _taken_modules()
        sys.path.insert(0, str(src))
        try:
            read: Any = importlib.import_module("naturalize.images").read
            smear: Any = importlib.import_module("naturalize.segment").Smear()
        finally:
            sys.path.remove(str(src))
            _taken_modules()
            sys.modules.update(own)
        return cls(smear, read)

    def segment(self, rgb: Rgb) -> list[Mask]:
        """Return its masks, as masks of this checkout."""
        names = [field.name for field in fields(Mask) if field.name != "box"]
        return [
            Mask(box=Box(*astuple(mask.box)), **{name: getattr(mask, name) for name in names})
            for mask in self.smear.segment(rgb)
        ]

    def parameters(self) -> dict[str, object]:
        """Return its parameters."""
        return dict(self.smear.parameters())


def _taken_modules() -> dict[str, Any]:
    """Take all modules of the package from those known to be imported, and return them."""
    names = [name for name in sys.modules if name.split(".")[0] == "naturalize"]
    return {name: sys.modules.pop(name) for name in names}
