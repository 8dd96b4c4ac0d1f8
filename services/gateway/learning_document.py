"""What a tenant taught as one JSON document: without people's names, without values of cells."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from contracts.learning import LearningDocument, OwnField, Teaching, TemplateSource
from contracts.rest_learning import LessonView, SavedMappingView


def document_of(
    fields: Iterable[OwnField], lessons: Sequence[LessonView], mappings: Iterable[SavedMappingView]
) -> LearningDocument:
    """Everything that counts, in a fixed order; a source without a saved mapping is left out: nothing recognises it."""
    by_source: dict[UUID, list[SavedMappingView]] = {}
    for mapping in sorted(mappings, key=lambda mapping: mapping.mapping_id):
        by_source.setdefault(mapping.source_id, []).append(mapping)
    sources = [
        TemplateSource(
            name=versions[0].source_name,
            kind=versions[0].kind,
            family=versions[0].family,
            # The version that gave the source its id comes first, so that it gives it again.
            headers=[
                [column.column for column in version.columns]
                for version in sorted(versions, key=lambda version: version.mapping_id != source_id)
            ],
            lessons=_teachings(lesson for lesson in lessons if lesson.source_id == source_id),
        )
        for source_id, versions in by_source.items()
    ]
    return LearningDocument(
        fields=sorted(fields, key=lambda own: own.field_id),
        lessons=_teachings(lesson for lesson in lessons if lesson.source_id is None),
        sources=sorted(sources, key=lambda source: (source.name, source.kind, source.family, source.headers)),
    )


def _teachings(lessons: Iterable[LessonView]) -> list[Teaching]:
    taught = [Teaching.model_validate(lesson.model_dump(include=set(Teaching.model_fields))) for lesson in lessons]
    return sorted(taught, key=lambda each: (each.column, each.verdict, each.field or ""))
