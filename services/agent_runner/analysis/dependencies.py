"""What depends on what: applications with their assets, and the dependencies between them with their evidence."""

from dataclasses import dataclass
from uuid import UUID

import polars as pl

from contracts.claim_checks import APPLICATION_LIST, APPLICATIONS, ASSETS, CONNECTIONS, DEPENDENCIES
from services.agent_runner.analysis.endpoints import Directory, build_directory, resolve
from services.agent_runner.analysis.layouts import conform
from services.agent_runner.analysis.network_ports import INFRASTRUCTURE_PORTS
from services.agent_runner.analysis.portfolio import (
    DESCRIBED_BY,
    attach_assets,
    describe_applications,
    folded,
    split_list,
)

# What is held of assets; of a million of them every other column is memory.
_REPEATED = ("asset_type", "operating_system_product", "operating_system_release", "application_name", *DESCRIBED_BY)
_EXAMPLES = 10
_EDGE = {
    "source_key": pl.String,
    "target_key": pl.String,
    "kind": pl.String,
    "port": pl.Int64,
    "observations": pl.Int64,
    "evidence": pl.String,
}


@dataclass(frozen=True)
class UnmatchedEnds:
    """Ends of connections and declared dependencies that no asset or application answers to, or more than one does."""

    unknown: int
    ambiguous: int
    connections: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class DependencyAnalysis:
    """The applications (layout APPLICATIONS), their dependencies (DEPENDENCIES), and what could not be matched."""

    applications: pl.DataFrame
    dependencies: pl.DataFrame
    unmatched: UnmatchedEnds


def analyse_dependencies(
    assets: pl.DataFrame | pl.LazyFrame, applications: pl.DataFrame, connections: pl.DataFrame, namespace: UUID
) -> DependencyAnalysis:
    """Group assets into applications and find the dependencies between these.

    Takes the layouts ASSETS, APPLICATION_LIST and CONNECTIONS of `contracts.claim_checks`. Application ids are UUIDs of
    `namespace` and the folded name, so the same names give the same ids. Connections from an application to itself are
    left out, also where its two assets share only one of their applications.
    """
    file = conform(assets.lazy(), ASSETS)
    connections, listed = conform(connections, CONNECTIONS), conform(applications, APPLICATION_LIST)
    of_assets, of_list = _declared_by_assets(file), _declared_by_list(listed)
    named = _named_in_list(listed)
    connected = pl.concat([connections["source"], connections["target"]]).to_frame("end").select(folded(pl.col("end")))
    ends = pl.concat([connected["end"], of_assets["end"], of_list["end"]])
    directory = build_directory(file, pl.concat([ends, named["end"]]))
    assets = _held(file)
    membership = attach_assets(assets, listed, _assets_of_list(named, directory))
    described = describe_applications(assets, listed, membership, namespace)
    assets = assets.select("asset_uid", pl.col("name").fill_null(pl.col("asset_uid")).alias("label"))
    labels = membership.select("asset_uid", "key").join(assets, on="asset_uid")
    keys = membership.select("asset_uid", pl.col("key").alias("source_key"))
    declared = pl.concat([of_assets.join(keys, on="asset_uid").drop("asset_uid"), of_list], how="diagonal")
    owners, ambiguous, unknown = _owners(ends, directory, labels, described)
    edges = pl.concat(
        [
            _connected(connections, owners),
            _declared(declared, owners),
            _shared(labels, described),
            _platform_users(membership),
        ]
    )
    by_key = described.select("key", "application_uid", "name")
    dependencies = (
        edges.filter(pl.col("source_key") != pl.col("target_key"))
        .join(
            by_key.rename({"key": "source_key", "application_uid": "source_application_uid", "name": "source_name"}),
            on="source_key",
        )
        .join(
            by_key.rename({"key": "target_key", "application_uid": "target_application_uid", "name": "target_name"}),
            on="target_key",
        )
        .sort("source_key", "target_key", "kind")
    )
    unresolved = pl.Series([*ambiguous, *unknown], dtype=pl.String)
    touched = connections.filter(
        folded(pl.col("source")).is_in(unresolved.implode()) | folded(pl.col("target")).is_in(unresolved.implode())
    )
    return DependencyAnalysis(
        conform(described, APPLICATIONS),
        conform(dependencies, DEPENDENCIES),
        UnmatchedEnds(len(unknown), len(ambiguous), touched.height, tuple([*unknown, *ambiguous][:_EXAMPLES])),
    )


def _held(assets: pl.LazyFrame) -> pl.DataFrame:
    """What is held of assets; what repeats itself as numbers, for as texts it would be half of that."""
    texts = assets.select("asset_uid", "name", *_REPEATED)
    return texts.with_columns(pl.col(_REPEATED).cast(pl.Categorical)).collect(engine="streaming")


def _named_in_list(listed: pl.DataFrame) -> pl.DataFrame:
    """What an application list names by host name, FQDN or address: `key`, `end`."""
    return pl.concat(
        [
            listed.select(folded(pl.col("application_name")).alias("key"), split_list(pl.col(column)).alias("end"))
            .explode("end")
            .with_columns(folded(pl.col("end")))
            for column in ("hostname", "fqdn", "ip_address")
        ]
    ).drop_nulls()


def _assets_of_list(named: pl.DataFrame, directory: Directory) -> pl.DataFrame:
    """The assets that an application list names: `key`, `asset_uid`."""
    return named.join(resolve(named["end"], directory).found, on="end").select("key", "asset_uid").unique()


def _declared_by_assets(assets: pl.LazyFrame) -> pl.DataFrame:
    """One row a dependency that an asset declares: `asset_uid`, `declared_by` (a label), `end`, `port`."""
    rows = assets.select("asset_uid", pl.col("name").alias("declared_by"), "dependencies").drop_nulls("dependencies")
    return _declarations(rows.collect(engine="streaming"))


def _declared_by_list(listed: pl.DataFrame) -> pl.DataFrame:
    """One row a dependency that the application list declares: `source_key`, `declared_by`, `end`, `port`."""
    name = pl.col("application_name")
    rows = listed.select(folded(name).alias("source_key"), name.alias("declared_by"), "dependencies")
    return _declarations(rows.drop_nulls("source_key"))


def _declarations(rows: pl.DataFrame) -> pl.DataFrame:
    rows = rows.drop_nulls("dependencies")
    rows = rows.with_columns(split_list(pl.col("dependencies")).alias("end")).explode("end")
    # "db1:1433" names a port; an IPv6 address has more than one colon.
    parts = pl.col("end").str.strip_chars().str.extract_groups(r"^([^:]+)(?::(\d{1,5}))?$")
    return (
        rows.with_columns(parts.struct[0].alias("host"), parts.struct[1].cast(pl.Int64).alias("port"))
        .with_columns(folded(pl.coalesce("host", "end")).alias("end"))
        .filter(pl.col("end").is_not_null() & (pl.col("end") != ""))
        .drop("dependencies", "host")
    )


def _owners(
    ends: pl.Series, directory: Directory, labels: pl.DataFrame, described: pl.DataFrame
) -> tuple[pl.DataFrame, list[str], list[str]]:
    """Every end with whom it belongs to (`end`, `id`, `label`, `key`), then the ambiguous and the unknown ends.

    An end is an asset before it is an application of that name.
    """
    resolved = resolve(ends, directory)
    of_assets = resolved.found.join(labels, on="asset_uid").select(
        "end", pl.col("asset_uid").alias("id"), "label", "key"
    )
    rest = pl.Series("end", [*resolved.unknown], dtype=pl.String).to_frame()
    of_names = rest.join(described.select("key", "name"), left_on="end", right_on="key").select(
        "end", ("application:" + pl.col("end")).alias("id"), pl.col("name").alias("label"), pl.col("end").alias("key")
    )
    unknown = rest.join(of_names, on="end", how="anti")["end"].sort().to_list()
    return pl.concat([of_assets, of_names]), resolved.ambiguous, unknown


def _connected(connections: pl.DataFrame, owners: pl.DataFrame) -> pl.DataFrame:
    """One edge an ordered pair of applications; the evidence is its busiest connection, infrastructure last."""
    ends = owners.select("end", "id", "label").unique()
    seen = (
        connections.select(
            folded(pl.col("source")).alias("source"), folded(pl.col("target")).alias("target"), "port", "observations"
        )
        .join(ends.rename({"end": "source", "id": "source_id", "label": "source_label"}), on="source")
        .join(ends.rename({"end": "target", "id": "target_id", "label": "target_label"}), on="target")
        .filter(pl.col("source_id") != pl.col("target_id"))
        .group_by("source_id", "target_id", "source_label", "target_label", "port")
        .agg(pl.col("observations").fill_null(1).sum())
    )
    keys = owners.select("id", "key").unique()
    pairs = _between_applications(seen, keys).with_columns(
        pl.col("port").is_in(list(INFRASTRUCTURE_PORTS)).fill_null(False).alias("infrastructure"),
        pl.concat_str(
            "source_label",
            pl.lit(" → "),
            "target_label",
            pl.when(pl.col("port").is_null()).then(pl.lit("")).otherwise(pl.format(":{}", "port")),
            pl.when(pl.col("observations") == 1)
            .then(pl.lit(" seen once"))
            .otherwise(pl.format(" seen {} times", "observations")),
        ).alias("first"),
    )
    ordered = pairs.sort(
        "infrastructure",
        "observations",
        "source_label",
        "target_label",
        "port",
        descending=[False, True, False, False, False],
    )
    edges = ordered.group_by("source_key", "target_key", maintain_order=True).agg(
        pl.col("port").first(),
        pl.col("observations").sum(),
        pl.col("first").first(),
        (pl.len() - 1).alias("more"),
        pl.col("port").drop_nulls().unique().sort().alias("ports"),
    )
    others = pl.format(
        "; {} more seen between them, ports {}",
        "more",
        pl.col("ports").list.head(8).cast(pl.List(pl.String)).list.join(", "),
    )
    return _edges(edges, "connection", pl.col("first") + pl.when(pl.col("more") > 0).then(others).otherwise(pl.lit("")))


def _between_applications(seen: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Give both ends their applications; a connection inside one application connects no others."""
    pairs = seen.join(keys.rename({"id": "source_id", "key": "source_key"}), on="source_id").join(
        keys.rename({"id": "target_id", "key": "target_key"}), on="target_id"
    )
    inside = pairs.filter(pl.col("source_key") == pl.col("target_key")).select("source_id", "target_id").unique()
    return pairs.join(inside, on=["source_id", "target_id"], how="anti")


def _declared(declared: pl.DataFrame, owners: pl.DataFrame) -> pl.DataFrame:
    pairs = declared.join(owners, on="end").filter(pl.col("source_key") != pl.col("key"))
    edges = (
        pairs.sort("declared_by", "label", "port")
        .group_by("source_key", pl.col("key").alias("target_key"), maintain_order=True)
        .agg(pl.col("declared_by").first(), pl.col("label").first(), pl.col("port").drop_nulls().first())
        .with_columns(pl.lit(0, dtype=pl.Int64).alias("observations"))
    )
    return _edges(edges, "declared", pl.format("{} lists {} as a dependency", "declared_by", "label"))


def _shared(labels: pl.DataFrame, described: pl.DataFrame) -> pl.DataFrame:
    """Assets that belong to several applications tie them together, in both directions: one edge, in order of name."""
    several = labels.filter(pl.col("asset_uid").is_duplicated())
    pairs = several.join(several, on="asset_uid", suffix="_other").filter(pl.col("key") < pl.col("key_other"))
    edges = (
        pairs.sort("label", "asset_uid")
        .group_by(pl.col("key").alias("source_key"), pl.col("key_other").alias("target_key"), maintain_order=True)
        .agg(pl.col("label").unique(maintain_order=True).alias("labels"), pl.len().alias("count"))
        .join(described.select(pl.col("key").alias("source_key"), pl.col("name").alias("source_name")), on="source_key")
        .join(described.select(pl.col("key").alias("target_key"), pl.col("name").alias("target_name")), on="target_key")
        .with_columns(pl.lit(None, dtype=pl.Int64).alias("port"), pl.lit(0, dtype=pl.Int64).alias("observations"))
    )
    assets = pl.col("labels").list.head(3).list.join(", ")
    more = (
        pl.when(pl.col("count") > 3).then(pl.format(" and {} more assets", pl.col("count") - 3)).otherwise(pl.lit(""))
    )
    verb = pl.when(pl.col("count") > 1).then(pl.lit("belong")).otherwise(pl.lit("belongs"))
    return _edges(
        edges, "shared_asset", pl.format("{}{} {} to both {} and {}", assets, more, verb, "source_name", "target_name")
    )


def _platform_users(membership: pl.DataFrame) -> pl.DataFrame:
    users = membership.filter(pl.col("platform_of").is_not_null()).with_columns(
        pl.col("platform_of").list.len().alias("count")
    )
    edges = (
        users.explode("platform_of")
        .sort("name")
        .unique(["platform_of", "key"], keep="first", maintain_order=True)
        .with_columns(
            folded(pl.col("platform_of")).alias("source_key"),
            pl.col("key").alias("target_key"),
            pl.lit(None, dtype=pl.Int64).alias("port"),
            pl.lit(0, dtype=pl.Int64).alias("observations"),
        )
    )
    sentence = pl.format(
        "{} is named for {} applications: a platform that they share, planned as an application of its own",
        "name",
        "count",
    )
    return _edges(edges, "shared_asset", sentence)


def _edges(rows: pl.DataFrame, kind: str, evidence: pl.Expr) -> pl.DataFrame:
    columns = rows.with_columns(pl.lit(kind).alias("kind"), evidence.alias("evidence")).select(list(_EDGE))
    return columns.cast(pl.Schema(_EDGE))
