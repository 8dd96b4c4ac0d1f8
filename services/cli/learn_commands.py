"""`modernize learn`: teach field mapping, see what that changes, apply it, take it back."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from services.cli.command import connected
from services.cli.terminal import CommandFailed, err, out, print_json, print_models, wrong_usage

if TYPE_CHECKING:
    from contracts.learning import LearningDecision, LearningDocument
    from contracts.rest_learning import LearningBody, LearningView
    from services.cli.rest_client import RestClient

learn_commands = typer.Typer(help="Teach what columns mean, and take it back.", no_args_is_help=True)

LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 120
_UNDER_WAY = ("considering", "applying", "undoing")

LearningId = Annotated[UUID, typer.Argument(help="Id of the learning.", show_default=False)]
Source = Annotated[UUID | None, typer.Option(help="Only for files of this source; see `mappings sources`.")]
Yes = Annotated[bool, typer.Option("--yes", help="Apply it at once instead of only showing what it would change.")]


@learn_commands.command("say")
@connected
def say(
    client: "RestClient",
    text: Annotated[str, typer.Argument(help="Such as 'RAM_GB should map to Memory (GB)'.", show_default=False)],
    source: Source = None,
    yes: Yes = False,
    as_json: bool = False,
) -> None:
    """Teach in words, English or German: 'X should map to Y', 'X is not Y', 'X is in MB', 'ignore X'."""
    from contracts.rest_learning import LearningBody

    _teach(client, LearningBody(text=text, source_id=source), yes=yes, as_json=as_json)


@learn_commands.command("column")
@connected
def teach_columns(
    client: "RestClient",
    lessons: Annotated[
        list[str],
        typer.Argument(
            metavar="COLUMN=FIELD...", help="No FIELD means nothing; 'RAM=in MB' is the unit.", show_default=False
        ),
    ],
    reject: Annotated[bool, typer.Option("--not", help="Teach that the columns are not these fields.")] = False,
    source: Source = None,
    yes: Yes = False,
    as_json: bool = False,
) -> None:
    """Teach what columns mean, or with --not what they do not."""
    from contracts.learning import Teaching
    from contracts.rest_learning import LearningBody
    from services.cli.mapping_edits import field_and_unit

    taught = []
    for lesson in lessons:
        column, separator, field = lesson.rpartition("=")
        if not separator or not column.strip() or (reject and not field.strip()):
            wrong_usage(f"{lesson!r} is not of the form COLUMN=FIELD, such as 'Tier=dr_tier'.")
        named, unit = field_and_unit(field)
        if reject or named is not None or unit is None:
            taught.append(Teaching(column=column.strip(), verdict="is_not" if reject else "is", field=named))
        if unit is not None:
            taught.append(Teaching(column=column.strip(), verdict="in_unit", field=None, unit=unit))
    _teach(client, LearningBody(lessons=taught, source_id=source), yes=yes, as_json=as_json)


@learn_commands.command("forget")
@connected
def forget(
    client: "RestClient",
    lesson_ids: Annotated[list[UUID], typer.Argument(help="Ids from `learn lessons`.", show_default=False)],
    yes: Yes = False,
    as_json: bool = False,
) -> None:
    """Forget lessons, whoever taught them."""
    from contracts.rest_learning import LearningBody

    _teach(client, LearningBody(forget=lesson_ids), yes=yes, as_json=as_json)


@learn_commands.command("import")
@connected
def import_document(
    client: "RestClient",
    file: Annotated[Path, typer.Argument(help="As `learn export` wrote it.", exists=True, dir_okay=False)],
    yes: Yes = False,
    as_json: bool = False,
) -> None:
    """Learn what a document says: lessons, sources with their templates, own fields."""
    from pydantic import ValidationError

    from contracts.learning import LearningDocument
    from contracts.rest_learning import LearningBody

    try:
        document = LearningDocument.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        message = f"{file.name} is not a document of `modernize learn export`: {place}: {first['msg']}."
        raise CommandFailed(message, code="bad_document") from error
    _teach(client, LearningBody(document=document), yes=yes, as_json=as_json)


@learn_commands.command("export")
@connected
def export_document(
    client: "RestClient",
    file: Annotated[Path | None, typer.Argument(help="Where to; else standard output.", dir_okay=False)] = None,
    as_json: bool = False,
) -> None:
    """Write all that counts as JSON, without names of people and without values."""
    from contracts.learning import LearningDocument

    write_document(client.get("/learnings/document", LearningDocument), file, as_json=as_json)


def write_document(document: "LearningDocument", file: Path | None, *, as_json: bool) -> None:
    """Write a document to a file or to standard output."""
    if file is None:
        print_json(document.model_dump(mode="json"))
        return
    file.write_text(document.model_dump_json(indent=2) + "\n", encoding="utf-8")
    taught = len(document.lessons) + sum(len(source.lessons) for source in document.sources)
    if as_json:
        print_json({"file": str(file), "lessons": taught, "sources": len(document.sources)})
    else:
        out.print(f"[green]✓[/] {file}: {taught:,} lessons, {len(document.sources):,} sources.", soft_wrap=True)


@learn_commands.command("apply")
@connected
def apply(client: "RestClient", learning_id: LearningId, as_json: bool = False) -> None:
    """Apply a learning: it counts from now on."""
    _say(_decide(client, learning_id, "apply"), as_json=as_json)


@learn_commands.command("discard")
@connected
def discard(client: "RestClient", learning_id: LearningId, as_json: bool = False) -> None:
    """Give up a learning that is only proposed."""
    _say(_decide(client, learning_id, "discard"), as_json=as_json)


@learn_commands.command("undo")
@connected
def undo(client: "RestClient", learning_id: LearningId, as_json: bool = False) -> None:
    """Take a learning back, as if it had never been; also one from a flow's approval."""
    _say(_decide(client, learning_id, "undo"), as_json=as_json)


@learn_commands.command("list")
@connected
def list_learnings(client: "RestClient", as_json: bool = False) -> None:
    """List learnings: what people said, and what they decided in flows."""
    from contracts.rest_learning import LearningView
    from services.cli.learning_views import learning_table

    learnings = list(client.items("/learnings", LearningView))
    if as_json:
        print_models("learnings", learnings)
    elif learnings:
        out.print(learning_table(learnings))
    else:
        out.print("Nothing was taught yet. Approve a flow's mapping, or say it: `modernize learn say 'X is Y'`.")


@learn_commands.command("show")
@connected
def show_learning(client: "RestClient", learning_id: LearningId, as_json: bool = False) -> None:
    """Show a learning and what it changes."""
    from contracts.rest_learning import LearningView

    _say(client.get(f"/learnings/{learning_id}", LearningView), as_json=as_json)


@learn_commands.command("lessons")
@connected
def list_lessons(
    client: "RestClient",
    column: Annotated[str | None, typer.Option(help="Part of the column's name.")] = None,
    field: Annotated[str | None, typer.Option(help="Id of the field.")] = None,
    source: Source = None,
    as_json: bool = False,
) -> None:
    """List the lessons that count."""
    from contracts.rest_learning import LessonView
    from services.cli.learning_views import lesson_table

    asked = {"column": column, "field": field, "source_id": source}
    lessons = list(client.items("/lessons", LessonView, asked))
    if as_json:
        print_models("lessons", lessons)
    elif lessons:
        out.print(lesson_table(lessons))
    else:
        out.print("No such lesson counts.")


@learn_commands.command("analyse")
@connected
def analyse(client: "RestClient", as_json: bool = False) -> None:
    """See as a whole what was taught: by field, what contradicts, what is of no use."""
    from contracts.rest_learning import LessonAnalysis
    from services.cli.learning_views import analysis_view

    analysis = client.get("/lessons/analysis", LessonAnalysis)
    if as_json:
        print_json(analysis.model_dump(mode="json"))
    else:
        out.print(analysis_view(analysis))


def _teach(client: "RestClient", body: "LearningBody", *, yes: bool, as_json: bool) -> None:
    from contracts.rest_learning import LearningView

    learning = _settled(client, client.post("/learnings", LearningView, body))
    if yes and learning.status == "proposed":
        learning = _decide(client, learning.learning_id, "apply")
    _say(learning, as_json=as_json)


def _decide(client: "RestClient", learning_id: UUID, decision: "LearningDecision") -> "LearningView":
    from contracts.rest_learning import LearningDecisionBody, LearningView

    body = LearningDecisionBody(decision=decision)
    return _settled(client, client.post(f"/learnings/{learning_id}/decision", LearningView, body))


def _settled(client: "RestClient", learning: "LearningView") -> "LearningView":
    """The learning once field mapping has answered; raises `CommandFailed` for one that it refused."""
    from contracts.rest_learning import LearningView

    begun = time.monotonic()
    with err.status("Working out what it changes …"):
        while learning.status in _UNDER_WAY:
            if time.monotonic() - begun > PATIENCE_SECONDS:
                raise CommandFailed(
                    f"The learning {learning.learning_id} is still {learning.status} after {PATIENCE_SECONDS} s. Look "
                    "whether the field_mapping service runs, and into `modernize dead-letters list`.",
                    code="learning_not_done",
                )
            time.sleep(LOOK_SECONDS)
            learning = client.get(f"/learnings/{learning.learning_id}", LearningView)
    if learning.problem is not None:
        raise CommandFailed(learning.problem.detail, **learning.problem.model_dump(exclude={"detail"}))
    return learning


def _say(learning: "LearningView", *, as_json: bool) -> None:
    from services.cli.learning_views import say_learning

    if as_json:
        print_json(learning.model_dump(mode="json"))
    else:
        say_learning(learning)
