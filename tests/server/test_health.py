"""`/health`: however often it is asked, the store is read once a second, and nobody is refused."""

import asyncio
import time

import pytest

from fieldsync.server.app import ServerApp
from fieldsync.server.execution import ThreadExecution
from fieldsync.server.health import FRESH, LONGEST_WAIT, MOST, StoreHealth
from tests.conftest import Cast

STRANGER, OTHER = "203.0.113.7", "203.0.113.8"


def test_one_store_read_serves_a_second_of_health_checks() -> None:
    """A thousand concurrent requests and more right after cause one read; a second later the next."""
    looks: list[float] = []
    now = [0.0]

    def look() -> None:
        looks.append(now[0])
        time.sleep(0.01)

    async def ask() -> None:
        health = StoreHealth(look, lambda: now[0], ThreadExecution())
        await asyncio.gather(*(health.check_store() for _ in range(1_000)))
        await health.check_store()
        assert looks == [0.0]
        now[0] = FRESH
        await asyncio.gather(*(health.check_store() for _ in range(10)))
        assert looks == [0.0, FRESH]

    asyncio.run(ask())


def test_a_failed_health_read_is_not_cached() -> None:
    """All waiting requests get the failure; the next request reads again."""
    faults = [OSError("disk"), None]

    def look() -> None:
        fault = faults.pop(0)
        if fault is not None:
            raise fault

    async def ask() -> None:
        health = StoreHealth(look, lambda: 0.0, ThreadExecution())
        told = await asyncio.gather(*(health.check_store() for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in told] == [OSError] * 3
        await health.check_store()
        assert faults == []

    asyncio.run(ask())


@pytest.mark.parametrize("here", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_frequent_health_checks_are_delayed_except_local_ones(here: str) -> None:
    """Each address has an allowance per minute; requests from this computer are never delayed."""
    now = [0.0]
    health = StoreHealth(lambda: None, lambda: now[0], ThreadExecution())
    assert [health.waiting_seconds(STRANGER) for _ in range(MOST)] == [0.0] * MOST
    assert 0 < health.waiting_seconds(STRANGER) < LONGEST_WAIT
    waits = [health.waiting_seconds(STRANGER) for _ in range(MOST)]
    assert waits[-1] == max(waits) == LONGEST_WAIT  # it never stops being answered
    assert health.waiting_seconds(OTHER) == 0
    assert {health.waiting_seconds(here) for _ in range(3 * MOST)} == {0.0}
    now[0] = 600.0
    assert health.waiting_seconds(STRANGER) == 0


def test_a_thousand_health_checks_are_delayed_not_refused(people: Cast) -> None:
    """Beyond its allowance an address gets 200 later; a load balancer beside it is not delayed."""
    app = ServerApp(people.hq)

    async def ask(host: str, path: str = "/health") -> int:
        found: list[int] = []
        scope = {
            "type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "client": (host, 9),
            "http_version": "1.1", "scheme": "https", "server": ("hq", 1), "root_path": "",
        }  # fmt: skip

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                found.append(int(str(message["status"])))

        await app.asgi(scope, receive, send)  # type: ignore[arg-type]
        return found[0]

    async def flood() -> None:
        assert {await ask(STRANGER) for _ in range(MOST)} == {200}
        began = asyncio.get_running_loop().time()
        late = [asyncio.ensure_future(ask(STRANGER, path)) for path in ("/health", "/metrics") * 10]
        assert {await ask(OTHER) for _ in range(10)} == {await ask("127.0.0.1")} == {200}
        assert set(await asyncio.gather(*late)) == {200}
        assert asyncio.get_running_loop().time() - began > 0.9 * LONGEST_WAIT

    asyncio.run(flood())
