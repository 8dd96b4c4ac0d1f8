"""Layouts of the Parquet files that travel by claim check: column name to polars type name."""

from contracts.catalog import CATALOG, COLUMN_TYPES

_CANONICAL = {field.id: COLUMN_TYPES.get(field.type, "String") for field in CATALOG.values()}

# Rows of an imported table: these, then every column of the file as a string.
ROW_NUMBER = "_row"
# Perhaps also the places of rows of other sheets that were joined to the row, written as in `source_rows`.
JOINED_ROWS = "_joined"

# What the texts of some fields mean: a canonical product, and its release where the texts name one.
TECHNOLOGY_FIELDS = ("operating_system", "database_engine", "hypervisor", "server_role")
_TECHNOLOGIES = {f"{field}_{part}": "String" for field in TECHNOLOGY_FIELDS for part in ("product", "release")}

# One row an asset (server, VM, host, database, device) after cleansing and merging.
ASSETS = {
    "asset_uid": "String",  # UUID, the same whenever the same file is imported again
    "name": "String",  # what people call it: the short host name in lower case, else the VM name, else the asset id
    "source_rows": "String",  # "<file name>[/<sheet>]:<row>" of every merged or joined row, joined by "; "
    **_CANONICAL,
    **_TECHNOLOGIES,  # null where it is not certain
}

# One row a pair of assets that might be one machine, for a person to decide.
DUPLICATES = {
    "asset_uid": "String",
    "other_uid": "String",
    "name": "String",
    "other_name": "String",
    "probability": "Float64",  # that they are one machine
    "evidence": "String",  # what agrees and what differs
}

# One row a change that an import made: an asset, or one field of an asset that changed.
ASSET_CHANGES = {
    "asset_uid": "String",
    "name": "String",
    "change": "String",  # appeared, returned, changed or vanished
    "field": "String",  # null but where one changed
    "before": "String",
    "after": "String",
}

# One row a figure of data quality: of all assets, of an asset type, or of a source.
QUALITY_FIGURES = {
    "measure": "String",  # completeness, validity, uniqueness, consistency or timeliness
    "of": "String",  # the field, or the rule of consistency
    "asset_type": "String",
    "source": "String",  # name of the file and sheet without what changes from export to export
    "good": "Int64",
    "total": "Int64",
}

# One row an asset or a cell that a figure counts as not good; what is only missing is not listed.
QUALITY_FAILURES = {
    "measure": "String",
    "of": "String",
    "asset_type": "String",
    "source_rows": "String",
    "asset_uid": "String",  # null for a cell
    "name": "String",
    "value": "String",
    "reason": "String",
}

# One row an application from an application list, before assets are attached to it.
APPLICATION_LIST = {"source_rows": "String", **_CANONICAL}

# One row an observed connection between two ends, counted over all observations.
CONNECTIONS = {
    "source": "String",  # host name, FQDN or IP address as cleansed
    "target": "String",
    "port": "Int64",
    "protocol": "String",
    "process": "String",
    "observations": "Int64",
}

# Rows that no asset could be made of, kept as they came.
REJECTED_ROWS = {
    "table_id": "String",
    "file_name": "String",
    "sheet": "String",
    "row": "Int64",
    "reason": "String",
    "raw": "String",  # JSON object of the filled cells
}

# Cells whose value could not be read; the asset exists without it.
CELL_PROBLEMS = {
    "table_id": "String",
    "file_name": "String",
    "sheet": "String",
    "row": "Int64",
    "column": "String",
    "field": "String",
    "raw": "String",
    "reason": "String",
}

# One row an application after dependency analysis. Assets of no application form one named after themselves.
APPLICATIONS = {
    "application_uid": "String",
    "name": "String",
    "asset_uids": "List(String)",
    "asset_count": "Int64",
    "environment": "String",  # of its most productive asset
    "criticality": "String",
    "business_owner": "String",
    "technical_owner": "String",
    "lifecycle_status": "String",
    "data_classification": "String",
    "inferred": "Boolean",  # true when no list and no column names it
}

# One row a dependency between two applications, and the assets it was seen on.
DEPENDENCIES = {
    "source_application_uid": "String",
    "target_application_uid": "String",
    "source_name": "String",
    "target_name": "String",
    "kind": "String",  # connection, declared or shared_asset
    "port": "Int64",
    "observations": "Int64",
    "evidence": "String",  # a sentence
}

# One row an application with its treatment.
ASSESSMENTS = {
    "application_uid": "String",
    "name": "String",
    "strategy": "String",  # a contracts.assessment.SixR
    "confidence": "Float64",
    "rule": "String",  # id of the rule that decided
    "reason": "String",
    "risk": "Float64",  # 0 to 1
    "complexity": "Float64",  # 0 to 1
    "engine": "String",  # rules: what decided, until a person decides otherwise
    "suggestion": "String",  # null, or the treatment that an agent's model would rather give it
    "suggestion_reason": "String",  # why, by which model, and how sure it is
    "risk_level": "String",  # a contracts.assessment.RiskLevel
    "risk_confidence": "Float64",  # 0 to 1: how much of what the risk weighs is known
    "risk_reason": "String",  # what drives it and what helps
    "risk_suggestion": "String",  # null, or the level that an agent's model would rather give it
    "risk_suggestion_reason": "String",
}

# One row an application of a wave.
PLAN = {
    "wave": "Int64",
    "move_group": "Int64",
    "application_uid": "String",
    "name": "String",
    "strategy": "String",
    "asset_count": "Int64",
    "risk": "Float64",
    "reason": "String",
}
