"""The write queue: waiting requests share a transaction and nothing else, in order."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.replica.node import Node
from fieldsync.server import write_queue
from fieldsync.server.execution import ThreadExecution
from fieldsync.server.write_queue import WriteQueue
from fieldsync.store import Tx
from tests.cast import found_office, open_node


@pytest.fixture(scope="module")
def hq(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """A headquarters that nobody serves."""
    home: Path = tmp_path_factory.mktemp("turns") / "hq"
    found_office(home)
    return open_node(home, shared=True)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 1_500), st.booleans()), min_size=1, max_size=12))
def test_a_failed_request_rolls_back_only_itself(hq: Node, plan: list[tuple[bool, int, bool]]) -> None:
    """Whatever else is in the transaction: acknowledged work is stored, failed work is not, not even in part."""

    def work(i: int, *, fails: bool) -> "write_queue.Callable[[Tx], int]":
        def do(tx: Tx) -> int:
            tx.settings.serial_numbers[f"turn {i}"] = 1
            tx.author_number(f"author of {i}")
            if fails:
                raise errors.Gap(need=i)
            return i

        return do

    async def all_at_once() -> list[object]:
        queue = WriteQueue(hq.store, ThreadExecution())
        return await asyncio.gather(
            *(queue.run_work(work(i, fails=f), weight, ahead=a) for i, (f, weight, a) in enumerate(plan)),
            return_exceptions=True,
        )

    with hq.store.write() as tx:
        for i in range(len(plan)):
            tx.settings.serial_numbers[f"turn {i}"] = 0
    done = asyncio.run(all_at_once())
    with hq.store.write() as tx:
        for i, (fails, _, _) in enumerate(plan):
            assert isinstance(done[i], errors.Gap) if fails else done[i] == i
            assert tx.settings.serial_numbers[f"turn {i}"] == (0 if fails else 1)
            if not fails:  # a number that was given out in a turn that failed is nobody's
                number = tx.author_number(f"author of {i}")
                assert tx.sql("SELECT name FROM author WHERE n = ?", (number,)).fetchone() == (f"author of {i}",)


def test_a_large_push_does_not_delay_small_requests(hq: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine small turns and two of a large push: three transactions, the push's second turn last."""
    together: list[int] = []
    order: list[str] = []
    real = type(hq.store).write_together

    def counted(store: object, works: list[object]) -> list[object]:
        together.append(len(works))
        return real(store, works)  # type: ignore[arg-type]  # the store's own

    monkeypatch.setattr(type(hq.store), "write_together", counted)

    async def play() -> None:
        queue = WriteQueue(hq.store, ThreadExecution())
        large = [queue.run_work(lambda _: order.append("large"), write_queue.MOST_TOGETHER)]
        small = [queue.run_work(lambda _, i=i: order.append(f"small {i}"), 10) for i in range(9)]  # type: ignore[misc]
        large.append(queue.run_work(lambda _: order.append("large again"), write_queue.MOST_TOGETHER))
        await asyncio.gather(*large, *small)

    asyncio.run(play())
    assert sum(together) == 11
    assert len(together) <= 3
    assert order[0] == "large"
    assert order.index("large again") <= 10
    assert [one for one in order if one.startswith("small")] == [f"small {i}" for i in range(9)]


def test_a_failed_transaction_fails_all_its_requests(hq: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full at commit, no request is acknowledged; later ones are served."""

    def number(i: int) -> "write_queue.Callable[[Tx], None]":
        def do(tx: Tx) -> None:
            tx.settings.serial_numbers[f"full {i}"] = 1

        return do

    async def play() -> list[object]:
        queue = WriteQueue(hq.store, ThreadExecution())
        with monkeypatch.context() as broken:

            def full(_store: object, works: list[object]) -> list[object]:
                with hq.store.write() as tx:
                    for work in works:
                        work(tx)  # type: ignore[operator]
                    raise errors.DiskFull

            broken.setattr(type(hq.store), "write_together", full)
            done = await asyncio.gather(
                *(queue.run_work(number(i)) for i in range(3)),
                return_exceptions=True,
            )
        return [*done, await queue.run_work(lambda tx: tx.settings.serial_numbers["full 0"])]

    told = asyncio.run(play())
    assert [type(one) for one in told[:-1]] == [errors.DiskFull] * 3
    assert told[-1] == 0
