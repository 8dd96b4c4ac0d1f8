"""One sentence for every proposed mapping, that a consultant can check against the file."""

from contracts.catalog import CATALOG, CONNECTION_FIELDS
from contracts.discovery import ColumnProfile
from services.field_mapping.lexicon import FieldRule
from services.field_mapping.name_evidence import NameMatch
from services.field_mapping.source_units import SourceUnit, value_range
from services.field_mapping.value_profiles import ValueProfile

_SUBJECTS = {
    "vm": "virtual machines",
    "host": "virtualization hosts",
    "server": "servers",
    "database": "databases",
    "application": "applications",
}
# What values of a kind are called, to be read after "the values are".
_KINDS = {
    "ip": "IP addresses", "mac": "MAC addresses", "uuid": "UUIDs", "fqdn": "fully qualified names", "date": "dates",
    "os_name": "operating systems", "environment": "environments", "power_state": "running states",
    "lifecycle": "stages of an asset's life", "criticality": "levels of importance",
    "data_classification": "data classes", "boot_type": "firmware types", "architecture": "architectures",
    "virtual_flag": "yes, no, physical or virtual", "hypervisor": "hypervisors", "asset_type": "kinds of assets",
    "server_role": "server roles", "protocol": "protocols", "database_engine": "database products",
    "migration_strategy": "migration strategies", "instance_type": "cloud machine sizes",
    "cloud_region": "cloud regions", "cpu_model": "processor models", "version": "version numbers",
    "port": "port numbers", "person": "names of people or e-mail addresses", "host_label": "machine names",
    "duration": "durations", "money": "amounts", "tier_label": "tiers",
}  # fmt: skip


def mapped_reason(
    column: ColumnProfile,
    values: ValueProfile,
    field: str,
    rule: FieldRule,
    match: NameMatch | None,
    unit: SourceUnit | None,
    close: str | None,
    rival: bool,
    near: bool,
) -> str:
    """Why the column was proposed for `field`, and what speaks against it; `near`: its words are close in meaning."""
    if match is None:
        says = f"“{column.name}” says little of {_label(field)}"
    elif match.phrase.subject is not None:
        says = f"In a table of {_SUBJECTS[match.phrase.subject]} “{column.name}” means {_label(field)}"
    else:
        says = f"“{column.name}” says {_label(field)}"
    sentence = (
        f"{says} {'and' if match else 'but'} {_evidence(values, rule, unit)}"
        if values.samples or unit
        else f"{says}, and the column is empty, so only its name speaks for it"
    )
    if near:
        sentence += f"; by its word vectors, too, it is near {_label(field)}"
    if close is not None:
        sentence += f"; it could also be {_label(close)}"
    if rival:
        sentence += "; another column fits this field better"
    return sentence + "."


def unmapped_reason(
    column: ColumnProfile, values: ValueProfile, refused: str | None, nearest: list[str], rival: bool
) -> str:
    """Why the column maps to nothing."""
    if refused is not None:
        return f"“{column.name}” is left out: {refused}."
    empty = " and the column is empty" if not values.samples else ""
    if nearest and rival:
        return f"It might hold {_label(nearest[0])}, but another column fits that field better{empty}."
    if nearest:
        settled = empty or ", and the values do not settle it"
        return f"The name is too vague for {_label(nearest[0])}, the nearest field{settled}."
    return f"No canonical field has a name like “{column.name}”{empty or ' and its values fit none'}."


def values_told(values: ValueProfile) -> str:
    """What a person looks at who decides whether a column means anything."""
    return f"It holds values such as {_quoted(values)}."


def _quoted(values: ValueProfile) -> str:
    # No sign in it ends the quotation, or what follows would be read as ours, and in a sealed inventory be shown.
    return f"“{values.samples[0][:40].replace('”', chr(34))}”"


def _evidence(values: ValueProfile, rule: FieldRule, unit: SourceUnit | None) -> str:
    if unit is not None:
        return unit.because if values.samples else f"{unit.because}; the column is empty"
    kind = max(rule.kinds, key=values.share, default="")
    share = values.share(kind)
    if share >= 0.5 and kind in ("percentage", "count", "quantity") and values.numbers:
        return f"{value_range(values)} {'fit' if len(set(values.numbers)) > 1 else 'fits'}"
    if share >= 0.5 and kind in _KINDS:
        matching = round(share * len(values.samples))
        many = "the values are" if share == 1 else f"{matching} of {len(values.samples)} sample values are"
        return f"{many} {_KINDS[kind]}"
    if share < 0.5 and kind in _KINDS:
        return f"most values, such as {_quoted(values)}, are not {_KINDS[kind]}"
    return (
        f"values such as {_quoted(values)} fit"
        if share >= 0.5
        else f"values such as {_quoted(values)} are unusual for it"
    )


def _label(field: str) -> str:
    # A tenant's own field is told by its id.
    label = CATALOG[field].label if field in CATALOG else CONNECTION_FIELDS.get(field, field.replace("_", " "))
    return label if label[1:2].isupper() else label[0].lower() + label[1:]
