"""The pictures of a file, a folder or a zip, read one by one; what cannot be read says why."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from naturalize import images
from naturalize.datasets.file_tree import list_files, read_regular
from naturalize.datasets.unzip import DAMAGED, opened_zip
from naturalize.errors import ImageError, InputError
from naturalize.images import Rgb


@dataclass(frozen=True)
class PictureSource:
    """One file that should hold a picture: below a folder, or in a zip."""

    home: Path
    name: str

    def read(self) -> Rgb:
        """Decode it; :class:`ImageError` says what is wrong with it."""
        try:
            data, refused = self._bytes()
        except (*DAMAGED, OSError) as error:
            got = getattr(error, "strerror", None) or error
            raise ImageError(self.name, "a readable file", got) from error
        if refused:
            raise ImageError(self.name, "an image file", refused)
        return images.decode(data, name=self.name)

    def _bytes(self) -> tuple[bytes, str]:
        if self.home.is_dir():
            return read_regular(self.home / self.name)
        return _archive(self.home).read(self.name), ""


def picture_sources(path: Path) -> list[PictureSource]:
    """Return every file of a folder or zip, or the one image ``path``, sorted by name.

    :class:`InputError` where there is nothing. Hidden files are left out.
    """
    if not path.exists():
        raise InputError(str(path), "an image, a folder or a zip", "nothing there")
    if path.is_dir():
        names = [name for name in list_files(path).names if not Path(name).name.startswith(".")]
        if not names:
            raise InputError(str(path), "a folder with images", "an empty one")
        return [PictureSource(path, name) for name in names]
    if zipfile.is_zipfile(path):
        with opened_zip(path) as (_, entries):
            return [PictureSource(path, name) for name in sorted(e.filename for e in entries)]
    return [PictureSource(path.parent, path.name)]


@lru_cache(maxsize=1)
def _archive(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
