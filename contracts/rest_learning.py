"""What the REST interface takes and gives about learning: fields, saved mappings, lessons and their effect."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from contracts.discovery import ColumnMapping, Drift
from contracts.envelope import Problem
from contracts.learning import (
    OWN_FIELD,
    Effect,
    LearningDecision,
    LearningDocument,
    Lesson,
    Origin,
    OwnFieldType,
    Teaching,
)
from contracts.rest import View

LearningStatus = Literal["considering", "proposed", "refused", "applying", "applied", "undoing", "undone", "discarded"]


class FieldView(View):
    """A field that columns can be mapped to: a canonical one, or one of the tenant's own."""

    field_id: str
    label: str
    type: str
    unit: str | None = None
    importance: str = Field(default="low", description="An open set: required, high, medium, low")
    own: bool = False
    description: str = ""
    names: list[str] = Field(default=[], description="Other names of one's own field")
    saved_by: str | None = None
    saved_at: datetime | None = None


class OwnFieldBody(View):
    """A field of the tenant's own."""

    label: str = Field(min_length=1, max_length=100, examples=["Backup policy"])
    type: OwnFieldType = "string"
    description: str = Field(default="", max_length=1000)
    names: list[str] = Field(
        default=[], max_length=50, description="Columns called so, or as the label, mean this field"
    )


class OwnFieldCreate(OwnFieldBody):
    """A new field of the tenant's own; its id is made from its label unless it is given."""

    field_id: str | None = Field(default=None, pattern=OWN_FIELD, max_length=60)


class LearningBody(View):
    """What is to be learned: words, lessons, lessons to forget, or a document; one of these."""

    text: str | None = Field(
        default=None, min_length=1, max_length=4000, examples=["RAM_GB should map to Memory (GB)"],
        description="In English or German, sentence by sentence",
    )  # fmt: skip
    lessons: list[Teaching] = Field(default=[], max_length=1000)
    forget: list[UUID] = Field(default=[], max_length=1000, description="Ids of lessons")
    document: LearningDocument | None = Field(default=None, description="As GET /learnings/document gives it")
    source_id: UUID | None = Field(default=None, description="Whose files text and lessons are about; null: all")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        given = [self.text is not None, bool(self.lessons), bool(self.forget), self.document is not None]
        if sum(given) != 1:
            raise ValueError("give one of text, lessons, forget and document")
        return self


class FeedbackBody(View):
    """Corrections in words, which count at once."""

    corrections: list[Annotated[str, Field(min_length=1, max_length=1000)]] = Field(
        min_length=1, max_length=100, examples=[["RAM_GB should map to Memory (GB)"]],
        description="In English or German; all of them are taken, or none",
    )  # fmt: skip
    source_id: UUID | None = Field(default=None, description="Whose files they are about; null: all")


class LearningDecisionBody(View):
    """What becomes of a learning: `apply` or `discard` one that is proposed, `undo` one that is applied."""

    decision: LearningDecision


class KeptField(View):
    """A field that came with a document and stays although that was undone."""

    field_id: str
    reason: str = Field(description="What uses it")


class LearningView(View):
    """A learning: what it teaches or forgets, what that changes, and how it stands."""

    learning_id: UUID
    status: LearningStatus = Field(description="Ask again while it is considering, applying or undoing")
    origin: Origin
    lessons: list[Lesson]
    forgets: list[UUID]
    effect: Effect | None = Field(description="What it changes in saved tables, as it was when it was proposed")
    problem: Problem | None = Field(default=None, description="Why it was refused")
    kept_fields: list[KeptField] | None = Field(
        default=None, description="Own fields that came with its document and stayed when it was undone; then only"
    )


class LessonView(Lesson):
    """A lesson that counts."""

    source_name: str | None = Field(default=None, description="Null: it counts for the files of all sources")


class Contradiction(View):
    """A column that means one thing in the files of one source and another in those of another."""

    column: str
    lessons: list[LessonView]


class FieldLessons(View):
    """How much was taught about one field."""

    field: str | None = Field(description="Null: columns that map to nothing")
    lessons: int
    corrections: int = Field(description="Lessons from columns that were proposed otherwise")


class LessonAnalysis(View):
    """What was taught, seen as a whole."""

    lessons: int
    by_origin: dict[str, int]
    fields: list[FieldLessons] = Field(description="The most taught first")
    contradictions: list[Contradiction]
    unused: list[LessonView] = Field(description="Lessons about columns that no saved mapping has")


class SavedMappingView(View):
    """How the files of a source with one header are mapped."""

    mapping_id: UUID
    source_id: UUID
    source_name: str
    kind: str
    family: str
    file_name: str
    sheet: str | None
    columns: list[ColumnMapping]
    drift: list[Drift] = Field(description="Against the version of the header that it was recognised by")
    decided: bool = Field(description="Whether an inventory was made with it; else it came with a document")
    missing_fields: dict[str, list[str]] = Field(
        description="Required fields that no accepted column has, by type of asset: server, vm, database, …"
    )
    flow_id: UUID | None
    saved_at: datetime


class TemplateView(View):
    """A source that is recognised: the versions of its header, and what was taught about it."""

    source_id: UUID
    name: str
    kind: str
    family: str
    headers: int
    columns: int = Field(description="Columns of the newest header")
    lessons: int


class TemplateNameBody(View):
    """What a source is to be called."""

    name: str = Field(min_length=1, max_length=200, examples=["CMDB of Contoso"])
