"""What a tenant taught as one JSON document, to be kept or taken elsewhere, and back from it."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from contracts.discovery import ColumnProfile
from contracts.learning import LearningDocument, Lesson, Teaching, TemplateSource
from services.field_mapping.sources import KnownHeader, header_keys, mapping_id_of
from services.field_mapping.taught import column_key
from services.field_mapping.verdicts import Knowledge


def document_of(known: Knowledge, headers: Iterable[KnownHeader]) -> LearningDocument:
    """Everything that counts, in a fixed order; a source without a known header is left out: nothing recognises it."""
    by_source: dict[UUID, list[KnownHeader]] = {}
    for header in sorted(headers, key=lambda header: header.mapping_id):
        by_source.setdefault(header.source_id, []).append(header)
    sources = [
        TemplateSource(
            name=versions[0].source_name,
            kind=versions[0].kind,
            family=versions[0].family,
            # The version that gave the source its id comes first, so that it gives it again.
            headers=[
                [column.name for column in version.columns]
                for version in sorted(versions, key=lambda version: version.mapping_id != source_id)
            ],
            lessons=_teachings(lesson for lesson in known.lessons if lesson.source_id == source_id),
        )
        for source_id, versions in by_source.items()
    ]
    return LearningDocument(
        fields=sorted(known.own_fields, key=lambda own: own.field_id),
        lessons=_teachings(lesson for lesson in known.lessons if lesson.source_id is None),
        sources=sorted(sources, key=lambda source: (source.name, source.kind, source.family, source.headers)),
    )


def _teachings(lessons: Iterable[Lesson]) -> list[Teaching]:
    taught = [Teaching.model_validate(lesson.model_dump(include=set(Teaching.model_fields))) for lesson in lessons]
    return sorted(taught, key=lambda each: (column_key(each.column), each.verdict, each.field or ""))


def headers_in(document: LearningDocument, known: Sequence[KnownHeader]) -> list[KnownHeader]:
    """The headers of a document's sources; a source that the tenant knows keeps its id and its name."""
    ids = {header.mapping_id: header for header in known}
    found: list[KnownHeader] = []
    for source in document.sources:
        versions = [
            (mapping_id_of(source.kind, source.family, header_keys(header)), header) for header in source.headers
        ]
        here = next((ids[mapping_id] for mapping_id, _ in versions if mapping_id in ids), None)
        found += [
            KnownHeader(
                mapping_id=mapping_id,
                source_id=here.source_id if here else versions[0][0],
                source_name=here.source_name if here else source.name,
                kind=source.kind,
                family=source.family,
                columns=[ColumnProfile(name=name, filled=0, distinct=0, samples=[]) for name in header],
            )
            for mapping_id, header in versions
        ]
    return found


def teachings_in(document: LearningDocument, headers: Sequence[KnownHeader]) -> list[tuple[UUID | None, Teaching]]:
    """What a document teaches, each with its source; `headers` are those of `headers_in`."""
    ids = {header.mapping_id: header.source_id for header in headers}
    taught: list[tuple[UUID | None, Teaching]] = [(None, teaching) for teaching in document.lessons]
    for source in document.sources:
        if source.headers:
            mapping_id = mapping_id_of(source.kind, source.family, header_keys(source.headers[0]))
            taught += [(ids[mapping_id], teaching) for teaching in source.lessons]
    return taught
