"""One example a REST model about learning, for the OpenAPI document; see `examples`."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel

from contracts.discovery import ColumnMapping, Drift
from contracts.learning import (
    ColumnChange,
    Effect,
    LearningDocument,
    Lesson,
    Origin,
    OwnField,
    TableEffect,
    Teaching,
    TemplateSource,
)
from contracts.rest_learning import (
    Contradiction,
    FeedbackBody,
    FieldLessons,
    FieldView,
    KeptField,
    LearningBody,
    LearningDecisionBody,
    LearningView,
    LessonAnalysis,
    LessonView,
    OwnFieldBody,
    OwnFieldCreate,
    SavedMappingView,
    TemplateNameBody,
    TemplateView,
)

_AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
_SOURCE = UUID("f1b5c7d9-0e2a-5c4e-8f60-718293a4b5c6")
_MAPPING = UUID("0d9c8b7a-6f5e-5d4c-9b3a-291807f6e5d4")
_SAID = "RAM_GB should map to Memory (GB)"
_ORIGIN = Origin(how="feedback", by="ada", at=_AT, text=_SAID)
_TEACHING = Teaching(column="RAM_GB", field="memory_gb")
_LESSON = Lesson(**_TEACHING.model_dump(), lesson_id=UUID("c5d4e3f2-a1b0-5c9d-8e7f-60718293a4b5"), origin=_ORIGIN)
_LESSON_VIEW = LessonView(**_LESSON.model_dump())
_FIELD = OwnField(field_id="own_backup_policy", label="Backup policy", names=["Sicherungsklasse"])
_FIELD_BODY = OwnFieldBody(**_FIELD.model_dump(exclude={"field_id"}))

LEARNING_EXAMPLES: tuple[BaseModel, ...] = (
    FieldView(**_FIELD.model_dump(), own=True, saved_by="ada", saved_at=_AT),
    _FIELD_BODY,
    OwnFieldCreate(**_FIELD_BODY.model_dump()),
    LearningBody(text=_SAID),
    LearningDecisionBody(decision="apply"),
    FeedbackBody(corrections=[_SAID]),
    KeptField(field_id="own_backup_policy", reason="A column of “CMDB” is mapped to it."),
    LearningView(
        learning_id=UUID("0197a6a0-0000-7000-8000-000000000090"),
        status="proposed",
        origin=_ORIGIN,
        lessons=[_LESSON],
        forgets=[],
        effect=Effect(
            tables_looked_at=4,
            tables_changed=[
                TableEffect(
                    mapping_id=_MAPPING,
                    source_name="CMDB of Contoso",
                    columns=[
                        ColumnChange(
                            column="RAM_GB",
                            field_before=None,
                            status_before="unmapped",
                            field_after="memory_gb",
                            status_after="accepted",
                        )
                    ],
                    missing_before=["memory_gb", "storage_gb"],
                    missing_after=["storage_gb"],
                )
            ],
        ),
    ),
    _LESSON_VIEW,
    LessonAnalysis(
        lessons=1,
        by_origin={"feedback": 1},
        fields=[FieldLessons(field="memory_gb", lessons=1, corrections=0)],
        contradictions=[Contradiction(column="Tier", lessons=[_LESSON_VIEW])],
        unused=[],
    ),
    LearningDocument(
        fields=[_FIELD],
        lessons=[_TEACHING],
        sources=[
            TemplateSource(
                name="CMDB of Contoso",
                kind="inventory",
                family="text",
                headers=[["HOST", "RAM_GB", "Tier"]],
                lessons=[Teaching(column="Tier", verdict="is_not", field="dr_tier")],
            )
        ],
    ),
    SavedMappingView(
        mapping_id=_MAPPING,
        source_id=_SOURCE,
        source_name="CMDB of Contoso",
        kind="inventory",
        family="text",
        file_name="cmdb-2026-11.csv",
        sheet=None,
        columns=[
            ColumnMapping(
                column="Memory MiB",
                field="memory_gb",
                confidence=0.97,
                status="accepted",
                unit="MiB",
                reason="“Memory MiB” says memory and its name states mebibytes.",
            )
        ],
        drift=[
            Drift(
                change="renamed",
                column="Memory MiB",
                was="Memory MB",
                reason="“Memory MB” became “Memory MiB”: the names differ little.",
            )
        ],
        decided=True,
        missing_fields={"server": ["storage_gb"], "host": ["storage_gb"]},
        flow_id=UUID("0197a6a0-0000-7000-8000-000000000030"),
        saved_at=_AT,
    ),
    TemplateView(
        source_id=_SOURCE, name="CMDB of Contoso", kind="inventory", family="text", headers=2, columns=31, lessons=4
    ),
    TemplateNameBody(name="CMDB of Contoso"),
)
