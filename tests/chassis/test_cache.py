import socket
from collections.abc import AsyncGenerator
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from contracts import Tenant
from services.chassis import cache as cache_module
from services.chassis.cache import Cache
from services.chassis.settings import Settings

TENANT = Tenant(client_account_id=UUID(int=1), engagement_id=UUID(int=2))
OTHER_ENGAGEMENT = Tenant(client_account_id=UUID(int=1), engagement_id=UUID(int=3))
REDIS = "redis://127.0.0.1:6379/0"


def redis_answers() -> bool:
    try:
        with socket.create_connection(("127.0.0.1", 6379), timeout=0.5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


@pytest.fixture(
    params=[
        "memory",
        pytest.param("redis", marks=pytest.mark.skipif(not redis_answers(), reason="no Redis at 127.0.0.1:6379")),
    ]
)
async def cache(request: pytest.FixtureRequest) -> AsyncGenerator[Cache, None]:
    settings = Settings(redis_url=REDIS if request.param == "redis" else None)
    cache = Cache(settings, prefix=f"modernize-test-{uuid4()}")
    yield cache
    for tenant in (TENANT, OTHER_ENGAGEMENT):
        await cache.delete(tenant, "key")
    await cache.close()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
async def away(closed_port: int) -> AsyncGenerator[Cache, None]:
    cache = Cache(Settings(redis_url=f"redis://127.0.0.1:{closed_port}/0"))
    yield cache
    await cache.close()


@pytest.mark.parametrize("value", [None, True, False, 0, 7, 1.5, "", "7", "ü", [], {"a": [1, None, {"b": "c"}]}])
async def test_json_values_come_back_as_they_were(cache: Cache, value: object) -> None:
    await cache.set(TENANT, "key", value, ttl_seconds=60)

    found = await cache.get(TENANT, "key", default="missing")
    assert found == value
    assert type(found) is type(value)


async def test_a_miss_gives_the_default(cache: Cache) -> None:
    assert await cache.get(TENANT, "key") is None
    assert await cache.get(TENANT, "key", default=5) == 5


async def test_another_engagement_does_not_see_a_value(cache: Cache) -> None:
    await cache.set(TENANT, "key", 1, ttl_seconds=60)

    assert await cache.get(OTHER_ENGAGEMENT, "key") is None


async def test_a_deleted_value_is_gone(cache: Cache) -> None:
    await cache.set(TENANT, "key", 1, ttl_seconds=60)
    await cache.delete(TENANT, "key")

    assert await cache.get(TENANT, "key") is None


async def test_changing_a_value_does_not_change_the_cached_one(cache: Cache) -> None:
    value = {"rows": [1]}
    await cache.set(TENANT, "key", value, ttl_seconds=60)
    value["rows"].append(2)

    assert await cache.get(TENANT, "key") == {"rows": [1]}


async def test_what_is_not_json_is_a_bug_and_is_not_pickled(cache: Cache) -> None:
    with pytest.raises(TypeError):
        await cache.set(TENANT, "key", object(), ttl_seconds=60)


async def test_redis_away_is_a_miss_that_is_counted_and_logged(away: Cache) -> None:
    with capture_logs() as lines:
        assert await away.get(TENANT, "key", default="missing") == "missing"

    assert away.errors == 1
    assert lines[0]["log_level"] == "warning"


async def test_an_absent_redis_is_left_alone_for_a_while(away: Cache) -> None:
    await away.set(TENANT, "key", 1, ttl_seconds=60)
    await away.get(TENANT, "key")
    await away.delete(TENANT, "key")

    assert away.errors == 1


@pytest.mark.skipif(not redis_answers(), reason="no Redis at 127.0.0.1:6379")
async def test_a_delete_that_redis_missed_is_made_up_for(
    away: Cache, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "HOLD_OFF_SECONDS", 0)
    prefix = f"modernize-test-{uuid4()}"
    other_process = Cache(Settings(redis_url=REDIS), prefix=prefix)
    await other_process.set(TENANT, "key", "old", ttl_seconds=60)
    cut_off = Cache(Settings(redis_url=f"redis://127.0.0.1:{closed_port}/0"), prefix=prefix)
    await cut_off.delete(TENANT, "key")

    cut_off._backend = other_process._backend  # the connection is back

    assert await cut_off.get(TENANT, "key") is None
    await other_process.close()


@pytest.mark.skipif(not redis_answers(), reason="no Redis at 127.0.0.1:6379")
async def test_a_value_that_somebody_broke_is_a_miss() -> None:
    prefix = f"modernize-test-{uuid4()}"
    cache = Cache(Settings(redis_url=REDIS), prefix=prefix)
    await cache._backend.set_raw(f"{prefix}:{UUID(int=1)}:{UUID(int=2)}:key", b"{broken", ex=60)

    assert await cache.get(TENANT, "key", default="missing") == "missing"
    await cache.delete(TENANT, "key")
    await cache.close()
