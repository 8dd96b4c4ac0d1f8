"""The flow types there are. A new one is a module beside this one and a line here."""

from services.flow_orchestrator.flow_type import FlowType
from services.flow_orchestrator.flows.assessment import ASSESSMENT
from services.flow_orchestrator.flows.discovery import DISCOVERY
from services.flow_orchestrator.flows.planning import PLANNING

FLOW_TYPES: dict[str, FlowType] = {flow_type.name: flow_type for flow_type in (DISCOVERY, ASSESSMENT, PLANNING)}
