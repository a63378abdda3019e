"""The exceptions a caller may want to catch.

::

    NaturalizeError
    ├── InputError        a file, folder or value the user gave cannot be used
    │   ├── BusyError     another process is writing that output now
    │   └── ImageError    a file that should hold an image does not, or only in part
    │       └── NotAnImageError   its first bytes are no image format's
    ├── LeakError         a validation or test image would reach training
    ├── StorageError      the output could not be written (disk full, no permission)
    └── MissingExtraError an optional dependency is not installed

Every message names the argument, what is allowed, and what came. The command line prints it
without a traceback and exits with 2.
"""

from __future__ import annotations


class NaturalizeError(Exception):
    """Base of every error this package raises on purpose; it passes whole between processes."""

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.args, self.__dict__)


def _again(
    kind: type[NaturalizeError], args: tuple[object, ...], state: dict[str, object]
) -> NaturalizeError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class InputError(NaturalizeError):
    """A file, folder or value the user gave cannot be used.

    >>> str(InputError("--seed", "a whole number", "three"))
    '--seed: expected a whole number, got three'
    """

    def __init__(self, argument: str, expected: str, got: object) -> None:
        super().__init__(f"{argument}: expected {expected}, got {got}")
        self.argument = argument


class BusyError(InputError):
    """Another process is writing that output now; wait for it, or leave it alone."""


class ImageError(InputError):
    """A file that should hold an image does not, or only in part."""


class NotAnImageError(ImageError):
    """A file whose first bytes are those of no image format."""


class LeakError(NaturalizeError):
    """A validation or test image would reach training. Nothing was written."""


class StorageError(NaturalizeError):
    """The output could not be written; what was finished is kept aside for ``--resume``."""


class MissingExtraError(NaturalizeError):
    """An optional dependency is not installed.

    >>> str(MissingExtraError("train", "torch"))
    "torch is not installed; pip install 'naturalize[train]'"
    """

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(f"{package} is not installed; pip install 'naturalize[{extra}]'")
