"""The learning rate over a run, known beforehand."""

from __future__ import annotations

from math import cos, pi

WARM_UP = 0.15
START = 1 / 25


def one_cycle(step: int, steps: int, *, peak: float) -> float:
    """Return the learning rate of ``step`` in 0 .. ``steps`` - 1.

    Rises in a straight line from a twenty-fifth of ``peak`` over the first 15 % of the steps, then
    falls to nearly 0 along half a cosine (the "1cycle" policy of Smith and Topin, 2019).

    >>> [round(one_cycle(step, 20, peak=1.0), 3) for step in (0, 3, 19)]
    [0.04, 1.0, 0.009]
    """
    rising = WARM_UP * steps
    if step < rising:
        return peak * (START + (1 - START) * step / rising)
    return peak * (1 + cos(pi * (step - rising) / (steps - rising))) / 2
