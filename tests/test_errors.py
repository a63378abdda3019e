from __future__ import annotations

import pickle

import pytest

from naturalize.errors import ImageError, InputError, LeakError, MissingExtraError, NaturalizeError
from naturalize.workers import run_all


@pytest.mark.parametrize(
    "error",
    [
        InputError("--seed", "a whole number", "three"),
        ImageError("a.jpg", "an image", "half of one"),
        MissingExtraError("train", "torch"),
        LeakError("a test image"),
    ],
)
def test_an_error_passes_whole_between_processes(error: NaturalizeError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def refuse(number: int) -> str:
    raise InputError("number", "an even one", number)


def test_a_mistake_in_a_worker_is_told_as_what_it_is() -> None:
    with pytest.raises(InputError, match="number: expected an even one, got"):
        list(run_all(refuse, [1, 3, 5], workers=2))
