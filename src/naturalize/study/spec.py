"""A study, written down before it is run; unknown keys are refused."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from naturalize.compose.recipe import Recipe, load_recipe
from naturalize.errors import InputError
from naturalize.study.paper_spec import PaperSpec
from naturalize.study.training import Name, Seeds, TrainingSpec, Written


class Composed(Written):
    """The composites an arm shows: ``dose`` for each real train image, made by ``recipe``.

    ``share`` is their part of what is shown, where it is not the arm's own (a half).
    ``change`` replaces keys of the recipe. ``shows: originals`` is a control: in place of each
    composite the real image its cell was cut out of.
    """

    recipe: str = "naturalize"
    change: dict[str, Any] = Field(default_factory=dict)
    dose: Annotated[float, Field(gt=0, le=100)] = 3.0
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    shows: Literal["composites", "originals"] = "composites"

    def resolved(self) -> Recipe:
        """Return the recipe with its changes; :class:`InputError` where they do not fit."""
        base = load_recipe(self.recipe)
        try:
            return Recipe.model_validate(base.model_dump() | self.change)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "change"
            raise InputError(
                f"recipe {self.recipe}, {where}", first["msg"], first["input"]
            ) from None

    def recipe_key(self) -> str:
        """Return a name for the recipe with its changes, the same for the same one."""
        digest = hashlib.sha256(self.resolved().model_dump_json().encode()).hexdigest()[:6]
        return f"{self.recipe}-{digest}"

    def key(self) -> str:
        """Return a name for these composites, the same for the same ones."""
        return f"{self.recipe_key()}-x{self.dose:g}"


class ArmSpec(Written):
    """One way to train: settings ``train`` joined by ``+``, as ``naturalize train --arm`` has them.

    ``best_of`` are several; the one that scores best on validation images, over ``choice_seeds``,
    is the arm. ``beside`` names another arm whose settings are added to ``train``.
    """

    train: str = ""
    best_of: tuple[str, ...] = ()
    choice_seeds: Seeds = (0,)
    beside: str = ""
    composed: Composed | None = None
    says: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> ArmSpec:
        if bool(self.train) == bool(self.best_of):
            raise ValueError("an arm has either train or best_of")
        return self


class Spec(Written):
    """A study: every arm with every size and seed, or with every fold and seed.

    ``sizes`` are real images a class, validation included, drawn anew for each seed from the train
    side of a split, the smaller within the larger; without sizes an arm learns from the whole
    split. ``folds`` deals the curated data into folds instead, so that each image is tested once.
    ``without_second_source`` keeps images of a second acquisition source from training and from
    the test, to be tested on apart. ``swapped_surroundings`` asks about test images once more with
    the cell moved, in memory, into a picture of another class, and of its own as the control.
    ``comparisons`` are (baseline, arm); without any, the first arm is the baseline of all others.
    ``curve`` says what curves are drawn over. ``phantoms`` are drawn where no data is given. Seeds
    that learn from the same images share their composites.
    """

    name: Name
    question: str
    arms: Annotated[dict[Name, ArmSpec], Field(min_length=1)]
    sizes: tuple[Annotated[int, Field(ge=5)], ...] = ()
    seeds: Seeds = (0,)
    folds: Annotated[int, Field(ge=3)] | None = None
    without_second_source: bool = False
    swapped_surroundings: bool = False
    comparisons: tuple[tuple[Name, Name], ...] = ()
    curve: Literal["size", "dose"] | None = None
    training: TrainingSpec = TrainingSpec()
    phantoms: Annotated[int, Field(ge=44)] | None = None

    @model_validator(mode="after")
    def _names_that_exist(self) -> Spec:
        named = {name for pair in self.comparisons for name in pair}
        named |= {arm.beside for arm in self.arms.values() if arm.beside}
        unknown = sorted(named - self.arms.keys())
        if unknown:
            raise ValueError(f"no arm is called {unknown[0]}")
        if self.folds is not None and (
            self.sizes or self.without_second_source or self.swapped_surroundings
        ):
            raise ValueError("folds go without sizes, with all sources, in their own surroundings")
        if self.curve == "size" and not self.sizes:
            raise ValueError("curve size goes with sizes")
        chosen_with = {
            seed for arm in self.arms.values() if arm.best_of for seed in arm.choice_seeds
        }
        if not chosen_with <= set(self.seeds):
            raise ValueError("choice_seeds are some of seeds")
        chained = [arm.beside for arm in self.arms.values() if arm.beside]
        if any(self.arms[name].beside for name in chained):
            raise ValueError("an arm beside another names one that stands alone")
        return self

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The comparisons, (baseline, arm)."""
        first, *others = self.arms
        return self.comparisons or tuple((first, name) for name in others)


def shipped_specs() -> tuple[str, ...]:
    """Return the names of the specs that come with the package."""
    folder = files("naturalize.study") / "specs"
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir()))


def load_spec(name_or_file: str) -> Spec | PaperSpec:
    """Return a shipped spec by name, or the spec in a YAML file.

    Raises :class:`InputError` naming an unknown spec, an unknown key or a value out of range.

    >>> load_spec("low-data").seeds
    (0, 1, 2, 3, 4)
    """
    if name_or_file in shipped_specs():
        text = (files("naturalize.study") / "specs" / f"{name_or_file}.yaml").read_text()
    else:
        path = Path(name_or_file)
        if not path.is_file():
            raise InputError("SPEC", f"{', '.join(shipped_specs())} or a YAML file", name_or_file)
        text = path.read_text(encoding="utf-8", errors="replace")
    try:
        given = yaml.safe_load(text)
        is_paper = isinstance(given, dict) and given.get("protocol") == "paper"
        spec = PaperSpec.model_validate(given) if is_paper else Spec.model_validate(given)
    except yaml.YAMLError as error:
        raise InputError(f"SPEC {name_or_file}", "a YAML file", error) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "spec"
        raise InputError(f"SPEC {name_or_file}, {where}", first["msg"], first["input"]) from None
    _load_recipes(spec)
    return spec


def _load_recipes(spec: Spec | PaperSpec) -> None:
    """Refuse recipes that are none, before anything is run."""
    if isinstance(spec, PaperSpec):
        for one in spec.sets.values():
            if one.recipe is not None:
                load_recipe(one.recipe)
        return
    for arm in spec.arms.values():
        if arm.composed is not None:
            arm.composed.resolved()
