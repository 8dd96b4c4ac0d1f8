"""The envelope: CloudEvents 1.0 in, CloudEvents 1.0 out, and nothing lost between."""

import re
import time
from importlib import import_module
from pkgutil import iter_modules
from typing import Any
from uuid import UUID

import orjson
import pytest
from cloudevents.core.bindings import rabbitmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it has no types of its own
from pydantic import ValidationError

import contracts
from contracts.envelope import ATTRIBUTES, EVENT_TYPES, PLATFORM, Event, UnknownEventType, uuid7
from contracts.flows import FlowUpdated
from contracts.operations import AuditVerificationRequested
from services.cli.asyncapi import ENVELOPE
from tests.contracts.events import events

NAMES = sorted(EVENT_TYPES)
EVERY_EVENT = st.sampled_from(NAMES).flatmap(lambda name: events(EVENT_TYPES[name]))
FEW = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


def check() -> AuditVerificationRequested:
    return AuditVerificationRequested(tenant=PLATFORM, verification_id=UUID(int=1))


@pytest.mark.parametrize("name", NAMES)
@FEW
@given(data=st.data())
def test_an_event_comes_back_as_it_went(name: str, data: st.DataObject) -> None:
    event = data.draw(events(EVENT_TYPES[name]))
    message = orjson.loads(orjson.dumps(event.to_cloudevent()))
    assert Event.from_cloudevent(message) == event
    assert message["data"].keys() == set(event.data_fields())


@pytest.mark.parametrize("name", NAMES)
@FEW
@given(data=st.data())
def test_an_event_fits_its_published_schema(name: str, data: st.DataObject) -> None:
    event = data.draw(events(EVENT_TYPES[name]))
    message = orjson.loads(orjson.dumps(event.to_cloudevent()))
    Draft202012Validator(event.data_schema()).validate(message["data"])
    Draft202012Validator(ENVELOPE).validate(message)
    assert set(message) <= set(ENVELOPE["properties"])


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(EVERY_EVENT)
def test_attributes_keep_the_rules_of_cloudevents(event: Event) -> None:
    message = {key: value for key, value in event.to_cloudevent().items() if key != "data"}
    assert {"specversion", "id", "source", "type"} <= set(message)
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in message)
    # The JSON format writes an attribute of the type Integer as a number (CloudEvents 1.0, JSON format, 2.2).
    integers = {"workpriority", "workweight"}
    assert all(isinstance(value, int if name in integers else str) for name, value in message.items())
    assert message["specversion"] == "1.0"


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(EVERY_EVENT)
def test_the_official_sdk_reads_our_events(event: Event) -> None:
    message = event.model_copy(update={"source": "/services/x"}).to_cloudevent()
    body = orjson.dumps(message)
    read = rabbitmq.from_rabbitmq_event(rabbitmq.RabbitMQMessage({}, "application/cloudevents+json", body))
    assert (read.get_id(), read.get_type(), read.get_source()) == (str(event.id), event.type_name, "/services/x")
    assert read.get_time() == event.time
    assert read.get_extension("clientaccountid") == str(event.tenant.client_account_id)
    assert read.get_data() == message["data"]
    again = rabbitmq.to_structured_event(read).body
    assert Event.from_cloudevent(orjson.loads(again)).model_copy(update={"source": event.source}) == event


def test_every_envelope_field_has_a_lower_case_name_of_its_own() -> None:
    assert len(set(ATTRIBUTES.values())) == len(ATTRIBUTES)
    assert set(ATTRIBUTES) == {"client_account_id", "engagement_id", *Event.model_fields} - {
        "id",
        "source",
        "time",
        "tenant",
    }


def test_an_unknown_type_is_told_from_a_bad_event() -> None:
    message = check().to_cloudevent()
    names: list[Any] = ["order.placed", "#", "", None, ["a"], {}]
    for name in names:
        with pytest.raises(UnknownEventType):
            Event.from_cloudevent({**message, "type": name})
    with pytest.raises(UnknownEventType):
        Event.from_cloudevent({})
    with pytest.raises(ValidationError):
        Event.from_cloudevent({**message, "data": {}})


@pytest.mark.parametrize("missing", ["clientaccountid", "engagementid"])
def test_an_event_without_its_tenant_is_no_event(missing: str) -> None:
    message = check().to_cloudevent()
    del message[missing]
    with pytest.raises(ValidationError):
        Event.from_cloudevent(message)


def test_data_cannot_pass_for_the_envelope() -> None:
    message: dict[str, Any] = check().to_cloudevent()
    other = str(uuid7())
    message["data"] |= {
        "tenant": {"client_account_id": other, "engagement_id": other},
        "id": other,
        "flow_id": other,
        "traceparent": other,
    }
    event = Event.from_cloudevent(message)
    assert (event.tenant, str(event.id)) == (PLATFORM, message["id"])
    assert (event.flow_id, event.traceparent) == (None, None)


def test_unknown_attributes_and_fields_are_ignored() -> None:
    message = check().to_cloudevent()
    later = {**message, "subject": "x", "priority": 1, "data": {**message["data"], "colour": "blue"}}
    assert Event.from_cloudevent(later) == Event.from_cloudevent(message)


def test_a_reply_stays_in_tenant_flow_and_step_and_names_its_cause() -> None:
    event = check().model_copy(update={"flow_id": uuid7(), "step": "a:1", "traceparent": "x"})
    reply = AuditVerificationRequested.reply_to(event, verification_id=uuid7())
    assert (reply.tenant, reply.flow_id, reply.step) == (event.tenant, event.flow_id, "a:1")
    assert (reply.causation_id, reply.traceparent) == (event.id, None)
    assert reply.id != event.id


def test_a_type_has_one_class_and_a_class_one_type() -> None:
    with pytest.raises(TypeError, match="type of its own"):

        class Twice(Event, type="flow.updated"):
            """Takes a name that is taken."""

    with pytest.raises(TypeError, match="type of its own"):

        class Nameless(Event):
            """Has no name."""

    assert EVENT_TYPES["flow.updated"] is FlowUpdated


def test_whoever_imports_the_contracts_knows_every_event() -> None:
    # A service that hears everything must know what only others import.
    for module in iter_modules(contracts.__path__):
        import_module(f"contracts.{module.name}")
    where = {cls.__module__ for cls in EVENT_TYPES.values() if cls.__module__.startswith("contracts.")}
    assert where <= {f"contracts.{name}" for name in contracts.__all__}


def test_types_are_a_noun_and_a_past_participle() -> None:
    # Irregular participles by name, so that "began" or "sent to" does not pass as one.
    participle = r"[a-z0-9_]+\.([a-z_]+ed|withdrawn|made)(\.v\d+)?"
    assert [name for name in NAMES if not re.fullmatch(participle, name)] == []


def test_uuid7_has_version_variant_and_the_time_of_now() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid7() for _ in range(500)]
    after = time.time_ns() // 1_000_000
    for one in made:
        assert (one.version, one.variant) == (7, "specified in RFC 4122")
        assert before <= one.int >> 80 <= after
    assert len(set(made)) == 500


def test_uuid7_sorts_by_time_as_number_and_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1_700_000_000_000, 1_700_000_000_200))
    monkeypatch.setattr("contracts.envelope.clock.time_ns", lambda: next(ticks) * 1_000_000)
    made = [uuid7() for _ in range(200)]
    assert made == sorted(made)
    assert [str(one) for one in made] == sorted(str(one) for one in made)
