"""Rows whose host names and addresses are sealed for tenants that ask for it: one sealed document beside the row.

What was sealed is replaced by the empty value of its kind and null stays null, so constraints and the question whether
a field is filled hold as before. A row says itself whether it is sealed: reading needs no configuration.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import polars as pl
from sqlalchemy import JSON, Table, event, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, QueryContext, declared_attr, mapped_column
from sqlalchemy.orm.attributes import flag_modified, set_committed_value

from contracts.envelope import Tenant
from services.chassis.encryption import Vault
from services.chassis.tables import Sealed, context_of
from services.chassis.tenancy import TenantRow

SEALED = "sealed"
FOUND_BY = "found_by"
_APART = re.compile(r"[\s,;|]+")
_NOT_HEX = re.compile(r"[:.\-]")
_MAC = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}(?:(?:[:-][0-9a-f]{2}){2})?|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}")


@dataclass(frozen=True)
class Sealing:
    """In a table's `info["sealing"]`: which of its columns are sealed together.

    Of a JSON column in `members` only the members that the function names are sealed. `only` is the column that must be
    true for a row to be sealed. `finds` says by which fields, columns or members, a row is found: "name", "address".
    """

    columns: tuple[str, ...]
    members: Mapping[str, Callable[[str], bool]] = field(default_factory=dict)
    only: str | None = None
    finds: Mapping[str, str] = field(default_factory=dict)


class SealableRow(TenantRow):
    """Mixin for tables whose `info` has a `Sealing`; an object that is loaded from a sealed row is opened at once."""

    @declared_attr
    def sealed(cls) -> Mapped[bytes | None]:  # noqa: N805 - SQLAlchemy's way
        """What is sealed of the row, null where nothing is."""
        schema, name = cls.metadata.schema, cls.__tablename__  # type: ignore[attr-defined]  # of the mapped class
        purpose = Sealed(f"{schema}.{name}.{SEALED}", None)
        return mapped_column(nullable=True, info={"sealed": purpose}, comment="Host names and addresses, sealed")


def sealing_of(table: Table) -> Sealing | None:
    """How the rows of a table are sealed; None for those that never are."""
    found: Sealing | None = table.info.get("sealing")
    return found


def purpose_of(table: Table) -> str:
    """What the rows of a table are sealed for."""
    sealed: Sealed = table.c[SEALED].info["sealed"]
    return sealed.purpose


def normalised(kind: str, text: str) -> list[str]:
    """What is compared of a name or of one or several addresses: case and spelling do not count."""
    if kind == "name":
        return [text.strip().rstrip(".").lower()]
    return [_address(part) for part in _APART.split(text.strip().lower()) if part]


def _address(text: str) -> str:
    if _MAC.fullmatch(text):
        return _NOT_HEX.sub("", text)
    try:
        return str(ipaddress.ip_address(text.split("/")[0].split("%")[0]))
    except ValueError:
        return text


def found_by(vault: Vault, tenant: Tenant, table: Table, kind: str, text: str) -> list[str]:
    """The blind indexes that a row has which is found by this text, under each root key there is."""
    values = [value.encode() for value in normalised(kind, text)]
    versions = vault.versions()
    return [each.hex() for version in versions for each in vault.index(tenant, _index_of(table, kind), values, version)]


def _index_of(table: Table, kind: str) -> str:
    return f"{table.fullname}.{kind}"


def sealed_row(vault: Vault, tenant: Tenant, table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it is stored sealed; its key must be in it."""
    return sealed_rows(vault, tenant, table, [row])[0]


def sealed_rows(vault: Vault, tenant: Tenant, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows as they are stored sealed, those alone that are to be; JSON columns are objects, not texts."""
    how = sealing_of(table)
    assert how is not None
    parted = [(number, *_parted(how, row)) for number, row in enumerate(rows) if how.only is None or row[how.only]]
    contexts = [context_of(table, rows[number]) for number, _, _ in parted]
    documents = [orjson.dumps(secret) for _, _, secret in parted]
    sealed = vault.seal_many(tenant, purpose_of(table), contexts, documents)
    stored = [dict(row) for row in rows]
    indexes = _indexes(vault, tenant, table, how, [secret for _, _, secret in parted]) if how.finds else None
    for place, ((number, public, _), value) in enumerate(zip(parted, sealed, strict=True)):
        stored[number] = {**public, SEALED: value, **({FOUND_BY: indexes[place]} if indexes else {})}
    return stored


def _parted(how: Sealing, row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    public, secret = dict(row), {}
    for name in how.columns:
        if public.get(name) is not None:
            secret[name], public[name] = public[name], type(public[name])()
    for name, chosen in how.members.items():
        members = {key: value for key, value in (public.get(name) or {}).items() if value is not None and chosen(key)}
        if members:
            secret[name] = members
            public[name] = {**public[name], **dict.fromkeys(members, "")}
    return public, secret


def _indexes(
    vault: Vault, tenant: Tenant, table: Table, how: Sealing, secrets: Sequence[Mapping[str, Any]]
) -> list[list[str]]:
    """The blind indexes of each row."""
    found: list[list[str]] = [[] for _ in secrets]
    for kind in sorted(set(how.finds.values())):
        names = [name for name, each in how.finds.items() if each == kind]
        rows, values = [], []
        for number, secret in enumerate(secrets):
            flat = {**secret}
            for name in how.members:
                flat |= secret.get(name, {})
            texts = {text for name in names if isinstance(flat.get(name), str) for text in normalised(kind, flat[name])}
            rows += [number] * len(texts)
            values += [text.encode() for text in sorted(texts)]
        for number, index in zip(rows, vault.index(tenant, _index_of(table, kind), values), strict=True):
            found[number].append(index.hex())
    return found


def indexes_anew(vault: Vault, tenant: Tenant, table: Table, opened: Sequence[bytes]) -> list[dict[str, list[str]]]:
    """The columns of blind indexes that go with documents of rows; none for tables without."""
    how = sealing_of(table)
    if how is None or not how.finds:
        return [{} for _ in opened]
    found = _indexes(vault, tenant, table, how, [orjson.loads(each) for each in opened])
    return [{FOUND_BY: each} for each in found]


def opened_rows(
    vault: Vault, tenant: Tenant, table: Table, rows: Iterable[tuple[Mapping[str, Any], bytes]]
) -> list[dict[str, Any]]:
    """What is sealed of rows, given their keys: the values of columns, of JSON columns the members.

    Raises `CannotOpen` for what was moved or changed, naming its place.
    """
    listed = list(rows)
    contexts = [context_of(table, key) for key, _ in listed]
    opened = vault.open_many(tenant, purpose_of(table), contexts, [sealed for _, sealed in listed])
    return [orjson.loads(each) for each in opened]


def whole_row(how: Sealing, row: Mapping[str, Any], secret: Mapping[str, Any]) -> dict[str, Any]:
    """A stored row with what was sealed of it in place."""
    whole = {name: value for name, value in row.items() if name not in (SEALED, FOUND_BY)}
    for name, value in secret.items():
        whole[name] = {**(whole.get(name) or {}), **value} if name in how.members else value
    return whole


def sealed_frame(
    vault: Vault, tenant: Tenant, table: Table, frame: pl.DataFrame, fixed: Mapping[str, Any]
) -> pl.DataFrame:
    """The rows of a frame as `insert_frames` stores them sealed; `fixed` is what all have in other columns."""
    how = sealing_of(table)
    assert how is not None
    documents = [name for name in frame.columns if isinstance(table.c[name].type, JSON)]
    touched = [name for name in frame.columns if name in {*how.columns, *how.members}]
    needed = {*touched, *(column.name for column in table.primary_key), *([how.only] if how.only else [])}
    rows = []
    for row in frame.select(name for name in frame.columns if name in needed).iter_rows(named=True):
        parsed = {name: orjson.loads(row[name]) for name in documents if row.get(name) is not None}
        rows.append({**fixed, **row, **parsed})
    stored = sealed_rows(vault, tenant, table, rows)
    columns: dict[str, list[Any]] = {name: [row[name] for row in stored] for name in touched}
    for name in set(documents) & columns.keys():
        columns[name] = [None if value is None else orjson.dumps(value).decode() for value in columns[name]]
    columns[SEALED] = ["\\x" + row[SEALED].hex() if SEALED in row else None for row in stored]
    if how.finds:
        columns[FOUND_BY] = ["{" + ",".join(row[FOUND_BY]) + "}" if FOUND_BY in row else None for row in stored]
    return frame.with_columns(pl.Series(name, values, dtype=pl.String) for name, values in columns.items())


def opened_frame(vault: Vault, tenant: Tenant, table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """A frame of stored rows, with their keys and `sealed` as `select_frame` reads it, opened; `sealed` is gone."""
    how = sealing_of(table)
    assert how is not None
    plain = frame.drop(SEALED)
    positions = frame[SEALED].is_not_null().arg_true()
    if positions.is_empty():
        return plain
    keys = [column.name for column in table.primary_key if column.name in frame.columns]
    chosen = frame[positions.to_list()]
    pairs = zip(chosen.select(keys).iter_rows(named=True), map(_bytes, chosen[SEALED]), strict=True)
    secrets = opened_rows(vault, tenant, table, pairs)
    for name in [name for name in how.columns if name in plain.columns]:
        values = pl.Series([each.get(name) for each in secrets], dtype=pl.String)
        plain = plain.with_columns(plain[name].scatter(positions, values))
    return plain


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("\\x"))


async def write_rows(session: AsyncSession, tenant: Tenant, rows: Iterable[SealableRow], *, sealed: bool) -> None:
    """Write objects, sealed where that is wanted; they still read as before. Until now nothing of them was flushed."""
    plain: list[tuple[Any, dict[str, Any]]] = []
    row: Any
    for row in rows:
        table: Table = row.__table__
        how = sealing_of(table)
        assert how is not None
        names = [*how.columns, *how.members]
        state = inspect(row)
        if not any(state.attrs[name].history.has_changes() for name in names):
            continue
        values = {name: getattr(row, name) for name in names}
        keys = {column.name: getattr(row, column.name) for column in table.primary_key}
        stored = sealed_row(vault_of(session), tenant, table, {**keys, **values}) if sealed else values
        for name in (*names, SEALED):
            setattr(row, name, stored.get(name))
            # All of them together, for another may seal or open the row meanwhile.
            flag_modified(row, name)
        plain.append((row, values))
    await session.flush()
    for row, values in plain:
        for name, value in values.items():
            set_committed_value(row, name, value)


def vault_of(session: AsyncSession) -> Vault:
    """The vault of the process that a session belongs to."""
    found: Callable[[], Vault] = session.info["vault"]
    return found()


def _open_loaded(target: Any, context: QueryContext, *_: object) -> None:
    if target.sealed is None:
        return
    table: Table = target.__table__
    how = sealing_of(table)
    assert how is not None
    tenant = Tenant(client_account_id=target.client_account_id, engagement_id=target.engagement_id)
    row = {column.name: getattr(target, column.name) for column in table.primary_key}
    (secret,) = opened_rows(context.session.info["vault"](), tenant, table, [(row, target.sealed)])
    for name, value in secret.items():
        whole = {**(getattr(target, name) or {}), **value} if name in how.members else value
        set_committed_value(target, name, whole)


for _name in ("load", "refresh"):
    event.listen(SealableRow, _name, _open_loaded, propagate=True)
