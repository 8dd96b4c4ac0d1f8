"""Which flow a demo goes on with after it was killed."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from contracts.envelope import uuid7
from contracts.rest import FlowView, Page
from services.cli.demo_progress import DemoProgress
from services.cli.rest_client import RestClient

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class Gateway:
    """Answers with the discoveries there are."""

    def __init__(self) -> None:
        self.flows: list[UUID] = []
        http = httpx2.Client(base_url="http://gateway", transport=httpx2.MockTransport(self._handle))
        self.client = RestClient(http, "http://gateway")

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        items = [
            FlowView(
                flow_id=flow_id, flow_type="discovery", revision=1, status="running", current_phase=None, phases=[],
                waits_for=None, waits_until=None, problem=None, parent_flow_id=None, created_at=NOW, updated_at=NOW,
            )
            for flow_id in self.flows
        ]  # fmt: skip
        page = Page[FlowView](items=items)
        return httpx2.Response(200, content=page.model_dump_json(), headers={"Content-Type": "application/json"})


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


def demo_of(folder: Path, text: str = "a;b") -> DemoProgress:
    file = folder / "inventory.csv"
    file.write_text(text)
    return DemoProgress(folder / "demo.json", [file])


def test_the_first_demo_has_nothing_to_go_on_with(tmp_path: Path, gateway: Gateway) -> None:
    assert demo_of(tmp_path).unfinished_flow(gateway.client) is None


def test_a_demo_that_was_killed_goes_on_with_its_flow(tmp_path: Path, gateway: Gateway) -> None:
    flow_id = uuid7()
    demo_of(tmp_path).started(flow_id)
    assert demo_of(tmp_path).unfinished_flow(gateway.client) == flow_id


def test_a_demo_that_ended_begins_anew(tmp_path: Path, gateway: Gateway) -> None:
    last = demo_of(tmp_path)
    last.started(uuid7())
    last.ended()
    assert demo_of(tmp_path).unfinished_flow(gateway.client) is None


def test_other_files_are_another_demo(tmp_path: Path, gateway: Gateway) -> None:
    demo_of(tmp_path).started(uuid7())
    assert demo_of(tmp_path, "c;d").unfinished_flow(gateway.client) is None


def test_a_demo_killed_before_it_heard_the_flows_id_finds_it(tmp_path: Path, gateway: Gateway) -> None:
    gateway.flows = [UUID(int=1), UUID(int=2)]
    demo_of(tmp_path).about_to_start(gateway.client)
    gateway.flows.append(UUID(int=3))
    assert demo_of(tmp_path).unfinished_flow(gateway.client) == UUID(int=3)


def test_a_demo_killed_before_it_asked_for_a_flow_begins_anew(tmp_path: Path, gateway: Gateway) -> None:
    gateway.flows = [UUID(int=1)]
    demo_of(tmp_path).about_to_start(gateway.client)
    assert demo_of(tmp_path).unfinished_flow(gateway.client) is None
