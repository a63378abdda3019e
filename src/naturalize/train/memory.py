"""Running out of memory, said in words a user can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from naturalize.errors import NaturalizeError

SHORTAGES = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


@contextmanager
def shortage_told(*, batch_size: int, input_px: int, device: str) -> Iterator[None]:
    """Turn a shortage of memory into a :class:`NaturalizeError` that says what to change.

    >>> with shortage_told(batch_size=64, input_px=224, device="cpu"):
    ...     raise MemoryError
    Traceback (most recent call last):
    naturalize.errors.NaturalizeError: training: out of memory on cpu; lower batch_size (now 64)...
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        shortage = any(words in str(error) for words in SHORTAGES)
        if not (shortage or isinstance(error, MemoryError)):
            raise
        raise NaturalizeError(
            f"training: out of memory on {device}; lower batch_size (now {batch_size}) "
            f"or input_px (now {input_px}), or choose a smaller model"
        ) from error
