"""The command line: ``naturalize VERB``. Exit code 0 is success, 2 a user's mistake."""

from __future__ import annotations

import sys

import typer

from naturalize import __version__
from naturalize.cli import (
    audit,
    compose,
    curate,
    cut,
    demo,
    doctor,
    download,
    evaluate,
    explain,
    export,
    import_,
    pack,
    phantom,
    predict,
    reader,
    split,
    steps,
    study,
    teach,
    train,
    verify,
)
from naturalize.cli.allocator import keep_buffers
from naturalize.errors import NaturalizeError

app = typer.Typer(
    name="naturalize",
    help="From a small, imbalanced folder of microscopy images to a classifier one can trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("phantom")(phantom.phantom)
app.command("import")(import_.import_)
app.command("download")(download.download)
app.command("verify")(verify.verify)
app.command("curate")(curate.curate)
app.command("split")(split.split)
app.command("cut")(cut.cut)
app.command("compose")(compose.compose)
app.command("steps")(steps.steps)
app.command("audit")(audit.audit)
app.command("export")(export.export)
app.command("pack")(pack.pack)
app.command("teach")(teach.teach)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("explain")(explain.explain)
app.command("study")(study.study)
app.command("reader")(reader.reader)
app.command("predict")(predict.predict)
app.command("doctor")(doctor.doctor)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True),
) -> None:
    """Options before the verb."""


def main() -> None:
    """Run the command line; mistakes are one line on standard error, never a traceback."""
    if sys.argv[1:2] in (["train"], ["demo"], ["study"]):
        keep_buffers()
    try:
        app()
    except NaturalizeError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write(
            "interrupted; the same command goes on (with --resume, where it has that)\n"
        )
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
