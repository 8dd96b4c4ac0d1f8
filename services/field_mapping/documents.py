"""What a document of lessons teaches, and whose files it is about."""

from collections.abc import Sequence
from uuid import UUID

from contracts.discovery import ColumnProfile
from contracts.learning import LearningDocument, Teaching
from services.field_mapping.sources import KnownHeader, header_keys, mapping_id_of


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
