"""Everything that REST tells of a finished main job, in plain values."""

from dataclasses import dataclass
from typing import Any

import orjson

from tests.e2e.rest import Followed, Json, RestClient

REPORT_FORMATS = {"html", "xlsx", "json"}


@dataclass(frozen=True)
class Outcome:
    """The read model after discovery, assessment and planning, and the report's files."""

    followed: Followed
    mappings: list[Json]
    assets: dict[str, Json]  # by name
    applications: dict[str, Json]  # by name
    dependencies: list[Json]
    treatments: dict[str, Json]  # by application name
    waves: list[Json]
    rejected_rows: list[Json]
    cell_problems: list[Json]
    dead_letters: list[Json]
    report_files: dict[str, bytes]

    @property
    def report(self) -> Any:
        """The report's JSON."""
        return orjson.loads(self.report_files["json"])

    def summary(self, flow_type: str, phase: str) -> Json:
        """The counts that a phase shows."""
        phases = {view["name"]: view for view in self.followed.flows[flow_type]["phases"]}
        summary: Json = phases[phase]["summary"]
        return summary

    def identity(self) -> Json:
        """What must be the same whenever the same files go through, however often and with whatever interruptions."""
        return {
            "asset_uids": sorted(asset["asset_uid"] for asset in self.assets.values()),
            "applications": sorted((each["application_uid"], name) for name, each in self.applications.items()),
            "dependencies": sorted((each["dependency_id"], each["evidence"]) for each in self.dependencies),
            "strategies": {name: (each["strategy"], each["reason"]) for name, each in self.treatments.items()},
            "waves": [(wave["number"], sorted(wave["application_names"]), wave["reason"]) for wave in self.waves],
            "rejected_rows": sorted((row["file_name"], row["row"], row["reason"]) for row in self.rejected_rows),
            "cell_problems": len(self.cell_problems),
        }


async def outcome_of(client: RestClient, followed: Followed) -> Outcome:
    """Read everything that belongs to these flows, which ended well."""
    problems = {name: flow["problem"] for name, flow in followed.flows.items() if flow["status"] != "completed"}
    assert not problems, problems
    ids = {name: flow["flow_id"] for name, flow in followed.flows.items()}
    discovery, assessment, planning = ids["discovery"], ids["assessment"], ids["planning"]
    files = {}
    for name in followed.flows["planning"]["report_formats"]:
        response = await client.answer("GET", f"/reports/{planning}/{name}")
        assert response.status_code == 200, response.text
        files[name] = response.content
    return Outcome(
        followed=followed,
        mappings=(await client.get(f"/flows/{discovery}/mappings"))["mappings"],
        assets=_by_name(await client.every("/assets", flow_id=discovery)),
        applications=_by_name(await client.every("/applications", flow_id=discovery)),
        dependencies=await client.every("/dependencies", flow_id=discovery),
        treatments=_by_name(await client.every("/treatments", flow_id=assessment)),
        waves=await client.every("/waves", flow_id=planning),
        rejected_rows=await client.every("/rejected-rows", flow_id=discovery),
        cell_problems=await client.every("/cell-problems", flow_id=discovery),
        dead_letters=await client.every("/dead-letters"),
        report_files=files,
    )


def _by_name(items: list[Json]) -> dict[str, Json]:
    named = {item["name"]: item for item in items}
    assert len(named) == len(items), "two of them have the same name"
    return named
