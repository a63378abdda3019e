"""The page on recipes: nothing shipped or settable is left out, and its example is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from naturalize.compose.blend import BLENDS
from naturalize.compose.recipe import Appearance, Recipe, load_recipe, shipped_recipes

PAGE = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text()
FIELDS = PAGE.split("| key |")[1].split("| key of")[0]


@pytest.mark.parametrize(
    "name", [*shipped_recipes(), *Recipe.model_fields, *Appearance.model_fields, *BLENDS]
)
def test_all_there_is_stands_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_example_is_a_recipe(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "mine.yaml").write_text(text)
    assert load_recipe(tmp_path / "mine.yaml").name == "mine"


@pytest.mark.parametrize("name", [n for n, f in Recipe.model_fields.items() if not f.is_required()])
def test_the_first_value_told_is_the_default(name: str) -> None:
    (values,) = re.findall(rf"^\|[^|]*`{name}`[^|]*\| ([^|]+) \|", FIELDS, re.MULTILINE)
    first = values.partition(",")[0].strip("` ")
    default = Recipe.model_fields[name].default
    if default is None:
        assert first == "none"
    elif isinstance(default, (bool, int, float, str)):
        assert yaml.safe_load(first) == default
