"""Write what a study found: JSON, tables in three forms, and one page."""

from __future__ import annotations

from naturalize.artefact import write_whole
from naturalize.study.grids import grids
from naturalize.study.prepare import Home
from naturalize.study.results import StudyResults
from naturalize.study.study_page import study_page

RESULTS = "results.json"
PAGE = "study.html"


def render_study(home: Home, results: StudyResults) -> None:
    """Write ``results.json``, ``study.html`` and ``tables/`` into the folder of a study."""
    tables = home.folder / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    found = list(grids(results))
    for grid in found:
        write_whole(tables / f"{grid.name}.tex", grid.latex())
        write_whole(tables / f"{grid.name}.csv", grid.csv())
    page = [f"# {results.spec.question}\n", *(grid.markdown() for grid in found)]
    write_whole(tables / "tables.md", "\n".join(page))
    write_whole(home.folder / RESULTS, results.model_dump_json(indent=1) + "\n")
    write_whole(home.folder / PAGE, study_page(results))
