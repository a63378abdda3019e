"""The PBC data set (Acevedo et al. 2020, Mendeley Data 10.17632/snkd93bnjr.1, CC BY 4.0).

Eight folders; the prefix of the file name gives the eleven classes of Abou Ali et al. 2023
(Table 3). ``IG_`` and ``NEUTROPHIL_`` images have no sub-class.
"""

from __future__ import annotations

from pathlib import PurePosixPath

PREFIX_TO_CLASS = {
    "BA": "BA",
    "BNE": "BNE",
    "EO": "EO",
    "ERB": "ERB",
    "LY": "LY",
    "MMY": "MMY",
    "MO": "MO",
    "MY": "MY",
    "PLATELET": "PLT",
    "PMY": "PMY",
    "SNE": "SNE",
}
FOLDERS = (
    "basophil",
    "eosinophil",
    "erythroblast",
    "ig",
    "lymphocyte",
    "monocyte",
    "neutrophil",
    "platelet",
)
FOLDER_OF = {
    "BA": "basophil",
    "BNE": "neutrophil",
    "EO": "eosinophil",
    "ERB": "erythroblast",
    "LY": "lymphocyte",
    "MMY": "ig",
    "MO": "monocyte",
    "MY": "ig",
    "PLT": "platelet",
    "PMY": "ig",
    "SNE": "neutrophil",
}
"""The folder, and so the coarser class, of each class symbol."""
MATURATION = ("PMY", "MY", "MMY", "BNE", "SNE")
"""Stages of the neutrophil from the promyelocyte on; experts often disagree on neighbours."""
LICENCE = "CC BY 4.0, Acevedo et al., Mendeley Data 10.17632/snkd93bnjr.1"


def label_of(path: PurePosixPath) -> str | None:
    """Return the class symbol a PBC file name carries, or None where it carries none.

    >>> label_of(PurePosixPath("platelet/PLATELET_100102.jpg"))
    'PLT'
    >>> label_of(PurePosixPath("ig/IG_100102.jpg")) is None
    True
    """
    prefix, underscore, _ = path.name.partition("_")
    return PREFIX_TO_CLASS.get(prefix) if underscore else None


def looks_like(folders: set[str]) -> bool:
    """Whether the folder names below a root are PBC's (at least two, and nothing else)."""
    return len(folders) >= 2 and folders <= set(FOLDERS)
