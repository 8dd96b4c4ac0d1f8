"""`modernize catalog`: the canonical fields and what they are recognised by, without a server."""

from services.cli.command import command
from services.cli.terminal import out, print_json


@command
def catalog(as_json: bool = False) -> None:
    """List the fields that columns are mapped to; needs no running platform."""
    from services.field_mapping.catalogue import recognised_fields

    known = recognised_fields()
    if as_json:
        rows = [
            {**one.field.model_dump(mode="json"), "synonyms": one.synonyms, "value_kinds": one.value_kinds}
            for one in known
        ]
        print_json({"fields": rows})
        return
    from rich.table import Table

    table = Table("field", "label", "unit", "importance", "of", "such as")
    for one in known:
        field = one.field
        names = ", ".join(one.synonyms[:4])
        table.add_row(field.id, field.label, field.unit or "", field.importance, ", ".join(field.asset_types), names)
    out.print(table)
