"""The flow types there are. A new one is a module beside this one and a line here."""

from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.flows.assessment import ASSESSMENT, ASSESSMENT_1
from services.flow_orchestrator.flows.collection import COLLECTION
from services.flow_orchestrator.flows.discovery import DISCOVERY, DISCOVERY_1, DISCOVERY_2
from services.flow_orchestrator.flows.modernization import MODERNIZATION
from services.flow_orchestrator.flows.planning import PLANNING, PLANNING_1


class UnknownFlowType(LookupError):
    """There is no flow type, or no version of it, of that name."""


class Catalogue:
    """Flow types by name and version. A flow keeps the version that it began with, so old ones stay listed."""

    def __init__(self, *flow_types: FlowType) -> None:
        self._versions: dict[tuple[str, int], FlowType] = {}
        self._newest: dict[str, FlowType] = {}
        self._starts: dict[type, FlowType] = {}
        for flow_type in flow_types:
            self.add(flow_type)

    def add(self, flow_type: FlowType) -> None:
        """Take a flow type in; raises `MalformedFlow` if it could not work, `ValueError` if it is there already."""
        key = (flow_type.name, flow_type.version)
        if key in self._versions:
            raise ValueError(f"the flow type {flow_type.name} has two definitions of version {flow_type.version}")
        flow_type.check()
        self._versions[key] = flow_type
        newest = self._newest.get(flow_type.name)
        if newest is None or newest.version < flow_type.version:
            self._newest[flow_type.name] = self._starts[flow_type.requested] = flow_type

    def get(self, name: str, version: int | None = None) -> FlowType:
        """A flow type, of the newest version if none is named; raises `UnknownFlowType`."""
        found = self._newest.get(name) if version is None else self._versions.get((name, version))
        if found is None:
            known = ", ".join(f"{name} {version}" for name, version in sorted(self._versions))
            raise UnknownFlowType(f"there is no flow type {name} {version or ''}; there are {known}")
        return found

    def versions(self, name: str) -> list[int]:
        """The versions that there are of a flow type, the oldest first."""
        return sorted(version for known, version in self._versions if known == name)

    def started_by(self, request: type) -> FlowType | None:
        """The newest flow type that events of this class start."""
        return self._starts.get(request)

    def all(self) -> list[FlowType]:
        """Every version of every flow type."""
        return list(self._versions.values())


FLOW_TYPES = Catalogue(
    COLLECTION, DISCOVERY_1, DISCOVERY_2, DISCOVERY, ASSESSMENT_1, ASSESSMENT, PLANNING_1, PLANNING, MODERNIZATION
)
