"""Inventories whose host names and addresses are sealed: which fields, what is left out of events, how far it is."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from contracts.envelope import Event
from contracts.learning import OWN_PREFIX
from contracts.planning import Wave

# Names, addresses, and what people write both into.
SEALED_FIELDS = frozenset(
    {
        *("name", "hostname", "vm_name", "fqdn", "domain", "asset_id", "asset_tag", "virtualization_host"),
        *("ip_address", "public_ip", "mac_address", "network_segment"),
        *("dependencies", "database_name", "description", "tags"),
    }
)
# What an asset is found by while it is sealed, by what is compared.
FOUND_BY_NAME = ("name", "hostname", "vm_name", "fqdn")
FOUND_BY_ADDRESS = ("ip_address", "public_ip", "mac_address")
_QUOTES = re.compile("(such as )“[^”]*”")


def is_sealed_field(field: str) -> bool:
    """Whether a field of an asset is sealed; what fields of a tenant's own hold nobody knows."""
    return field in SEALED_FIELDS or field.startswith(OWN_PREFIX)


def without_values(document: Any) -> Any:
    """A JSON document of an event or of a flow's state without what it quotes of an inventory's cells.

    Samples of columns, values in the reasons of mappings, names of assets that a phase lacks, names of applications
    (some are called after their machine) in waves. Who needs them finds them where they lie sealed.
    """
    if isinstance(document, list):
        return [without_values(each) for each in document]
    if not isinstance(document, dict):
        return document
    quiet = {name: without_values(value) for name, value in document.items()}
    if {"name", "filled", "samples"} <= quiet.keys():
        quiet["samples"] = []
    if {"column", "field", "reason"} <= quiet.keys() and isinstance(quiet["reason"], str):
        quiet["reason"] = _QUOTES.sub(r"\1“…”", quiet["reason"])
    if quiet.keys() == {"name", "source_rows"}:
        quiet["name"] = None
    if {"application_ids", "application_names"} <= quiet.keys():
        names = dict(zip(quiet["application_names"], map(_called, quiet["application_ids"]), strict=True))
        quiet["application_names"] = list(map(_called, quiet["application_ids"]))
        if isinstance(quiet.get("reason"), str):
            quiet["reason"] = _renamed(quiet["reason"], names)
        if isinstance(quiet.get("risks"), list):
            quiet["risks"] = [_renamed(risk, names) for risk in quiet["risks"]]
    return quiet


def _called(application_uid: Any) -> str:
    return f"application {str(application_uid)[:8]}"


def _renamed(sentence: str, names: Mapping[str, str]) -> str:
    """A sentence with other names for applications, the longest first: one may be part of another."""
    longest_first = sorted(filter(None, names), key=len, reverse=True)
    if not longest_first:
        return sentence
    any_name = "|".join(map(re.escape, longest_first))
    return re.sub(rf"(?<!\w)(?:{any_name})(?!\w)", lambda found: names[found[0]], sentence)


def with_names(waves: Sequence[Wave], names: Mapping[str, str]) -> list[Wave]:
    """Waves with the names of their applications, by id, which an event about a sealed inventory leaves out."""
    named = []
    for wave in waves:
        ids, told = map(str, wave.application_ids), wave.application_names
        known = [names.get(uid, name) for uid, name in zip(ids, told, strict=True)]
        names_again = dict(zip(told, known, strict=True))
        reason, risks = _renamed(wave.reason, names_again), [_renamed(risk, names_again) for risk in wave.risks]
        named.append(wave.model_copy(update={"application_names": known, "reason": reason, "risks": risks}))
    return named


class InventorySealingProgressed(Event, type="inventory_sealing.progressed"):
    """How far a service is with sealing, or opening again, what it keeps of an engagement's host names."""

    service: str
    version: int = Field(description="Of the setting that it follows: grows with every change")
    sealed: bool = Field(description="Whether rows are being sealed; else they are being opened")
    rows: int = Field(description="Rows with host names or addresses")
    left: int = Field(description="Those that are not yet as they should be")
