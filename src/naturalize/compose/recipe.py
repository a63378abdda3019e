"""A recipe says how composites are made; unknown keys are refused."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from naturalize.errors import InputError
from naturalize.images import Chroma

Observed = Literal["as observed"]
Count = Annotated[int, Field(ge=0, le=500)]
Number = Annotated[int, Field(ge=0, le=1_000_000)]
Side = Annotated[int, Field(ge=32, le=8192)]
Share = Annotated[float, Field(ge=0, le=1)]
Bend = Annotated[float, Field(ge=0, le=0.1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Appearance(_Part):
    """How far an image may differ from those its parts come from, 0 for not at all.

    The first three are optical density times 1 +- the share, on a dark background the light given
    off. With the recipe's ``stain: one`` the
    first two are drawn once for all cells of an image, and ``density_per_cell`` for each; with
    ``stain: any`` the first two are drawn for each cell.

    The others stay within what real images show (:mod:`naturalize.compose.spread`). ``stain`` and
    ``size`` change the subject, each up to that share of one standard deviation of its class: its
    azure and eosin apart, and its diameter. ``elastic`` bends the subject by up to that share of
    its diameter. ``focus`` blurs or sharpens the whole image, up to that share of one standard
    deviation of focus in the class. ``illumination`` is the share of images that show the bare
    slide, and so the light, of any plate of the bank, lights that differ by ``plate_tolerance``
    equally often (``transmittance`` only). A subject that was sized or bent has left its JPEG grid.
    """

    density: Share = 0.0
    density_per_channel: Share = 0.0
    density_per_cell: Share = 0.0
    stain: Share = 0.0
    size: Share = 0.0
    elastic: Bend = 0.0
    focus: Share = 0.0
    illumination: Share = 0.0


class Encode(_Part):
    """The final encode every composite goes through; the defaults are PBC's own."""

    quality: Annotated[int, Field(ge=1, le=100)] = 75
    chroma: Chroma = "4:4:4"


class Recipe(_Part):
    """How to make composites.

    ``blend`` is how cutouts meet the slide, see :mod:`naturalize.compose.blend`; the same scene is
    drawn under any. ``classes`` are the classes to compose, or all; ``share`` deals the images out
    as the train images are (``"same"``: the same synthetic share for every class) or equally
    (``"equal"``). A recipe may say itself how many each class gets: ``counts`` names classes and
    numbers, ``fill_to`` brings every class up to so many images, train images counted in, or up to
    the ``"largest"`` class; no class is cut down.
    ``red_cells``, ``platelets`` and ``objects`` (beside the subject, where the bank shows no blood)
    are numbers, (low, high) ranges or as observed in the bank;
    ``jitter`` moves the subject off the centre as observed, or not. ``collision`` works on masks or
    on boxes (the paper's); ``overlap`` is the share of a red cell that may lie on others;
    ``border`` lets objects cross the image border; ``turns`` gives quarter turns and flips.
    ``surroundings`` are composed of bystanders from many images, or a real image's, kept as it is
    but for its subject: one that suits (``"kept"``), or the subject's own (``"own"``: nothing new,
    yet made like any composite).
    ``places`` takes kept surroundings from images of the subject's class, as they are observed, or
    of any (``"any"``: nothing around a cell tells its class).
    ``layout`` places red cells as the plate's own image shows them, clumps and border included
    (``red_cells`` is then as observed), or at random; ``jpeg_grid`` keeps cutouts on the 8 x 8
    blocks they come from. ``stain: one`` composes an image of slides and red cells that look alike
    and brings their density to one level. ``soft_cuts`` softens edges that were cut through a
    neighbour, ``halo`` keeps what light shows around a cell (both ``transmittance`` and
    ``emission`` only).
    ``plate_tolerance`` is how many grey levels (any channel) the light of a cutout's donor may
    differ from the plate's.

    >>> load_recipe("paper").red_cells
    8
    """

    name: str
    blend: Literal["transmittance", "emission", "alpha", "feather", "poisson"] = "transmittance"
    classes: Literal["all"] | tuple[str, ...] = "all"
    share: Literal["same", "equal"] = "same"
    counts: dict[str, Number] | None = None
    fill_to: Annotated[int, Field(ge=1)] | Literal["largest"] | None = None
    canvas: Observed | tuple[Side, Side] = "as observed"
    red_cells: Observed | Count | tuple[Count, Count] = "as observed"
    platelets: Observed | Count | tuple[Count, Count] = "as observed"
    objects: Observed | Count | tuple[Count, Count] = "as observed"
    surroundings: Literal["composed", "kept", "own"] = "composed"
    places: Literal["class", "any"] = "any"
    layout: Observed | Literal["random"] = "random"
    stain: Literal["one", "any"] = "any"
    jpeg_grid: bool = False
    soft_cuts: bool = False
    halo: bool = False
    jitter: Observed | Literal["none"] = "as observed"
    collision: Literal["mask", "box"] = "mask"
    overlap: Share = 0.04
    border: bool = True
    turns: bool = True
    attempts: Annotated[int, Field(ge=1, le=1000)] = 40
    plate_tolerance: Annotated[float, Field(ge=0, le=255)] = 10.0
    appearance: Appearance = Appearance()
    encode: Encode = Encode()

    @field_validator("red_cells", "platelets", "objects")
    @classmethod
    def _low_before_high(cls, value: object) -> object:
        if isinstance(value, tuple) and value[0] > value[1]:
            raise ValueError("a range goes from low to high")
        return value

    @model_validator(mode="after")
    def _one_way_to_count(self) -> Recipe:
        if self.counts is not None and (self.fill_to is not None or self.classes != "all"):
            raise ValueError("counts stands alone, without classes or fill_to")
        return self

    @model_validator(mode="after")
    def _one_way_to_lay_out(self) -> Recipe:
        if self.layout == "as observed" and self.red_cells != "as observed":
            raise ValueError("layout as observed goes with red_cells as observed")
        return self

    @model_validator(mode="after")
    def _kept_as_it_is(self) -> Recipe:
        counts = {self.canvas, self.red_cells, self.platelets}
        if self.surroundings != "composed" and (counts != {"as observed"} or self.turns):
            raise ValueError(
                "surroundings kept or own go with canvas, red_cells and platelets as observed, "
                "and turns: false"
            )
        return self

    @model_validator(mode="after")
    def _light_that_cells_follow(self) -> Recipe:
        if self.appearance.illumination and self.blend != "transmittance":
            raise ValueError("appearance.illumination goes with blend transmittance")
        return self

    @property
    def tells_counts(self) -> bool:
        """Whether the recipe itself says how many composites each class gets."""
        return self.counts is not None or self.fill_to is not None

    def yaml(self) -> str:
        """Return the recipe as YAML that :func:`load_recipe` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def shipped_recipes() -> tuple[str, ...]:
    """Return the names of the recipes that come with the package."""
    folder = files("naturalize.compose") / "recipes"
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir()))


def load_recipe(name_or_file: str | Path) -> Recipe:
    """Return a shipped recipe by name, or the recipe in a YAML file.

    Raises :class:`InputError` naming an unknown recipe, an unknown key or a value out of range.
    """
    if str(name_or_file) in shipped_recipes():
        text = (files("naturalize.compose") / "recipes" / f"{name_or_file}.yaml").read_text()
    else:
        path = Path(name_or_file)
        if not path.is_file():
            allowed = ", ".join(shipped_recipes())
            raise InputError("--recipe", f"{allowed} or a YAML file", name_or_file)
        text = path.read_text(encoding="utf-8", errors="replace")
    try:
        data = yaml.safe_load(text)
        if not isinstance(data, dict):
            raise InputError(f"--recipe {name_or_file}", "a mapping of keys", data)
        return Recipe.model_validate(data)
    except yaml.YAMLError as error:
        raise InputError(f"--recipe {name_or_file}", "a YAML file", error) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "recipe"
        raise InputError(
            f"--recipe {name_or_file}, {where}", first["msg"], first["input"]
        ) from None
