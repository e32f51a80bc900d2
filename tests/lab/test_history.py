from __future__ import annotations

import asyncio
import time

from taller_cnn.lab.history import MOST_KEPT, Event, EventHistory


def read(history: EventHistory, after: int = 0) -> list[Event]:
    """All events of a history, which ends with them."""
    history.end()

    async def follow() -> list[Event]:
        with history.listen(after) as happening:
            return [event async for event in happening]

    return asyncio.run(follow())


def test_who_comes_late_gets_what_happened_and_then_what_happens() -> None:
    history = EventHistory()
    history.add("started", {})
    history.add("epoch", {"epoch": 1})

    async def follow() -> list[tuple[int, str]]:
        with history.listen() as happening:
            seen = []
            async for event in happening:
                seen.append((event.id, event.name))
                if len(seen) == 2:
                    # One while it reads, two while it waits.
                    history.add("epoch", {"epoch": 2})
                    asyncio.get_running_loop().call_later(0.01, history.add, "result", {})
                    asyncio.get_running_loop().call_later(0.02, history.end)
            return seen

    assert asyncio.run(follow()) == [(1, "started"), (2, "epoch"), (3, "epoch"), (4, "result")]


def test_two_who_listen_are_told_the_same() -> None:
    history = EventHistory()

    async def follow() -> list[str]:
        with history.listen() as happening:
            assert history.listeners >= 1
            return [event.name async for event in happening]

    async def tell() -> None:
        for name in ("started", "epoch"):
            await asyncio.sleep(0)
            history.add(name, {})
        history.end()

    async def both() -> list[list[str]]:
        one, two, _ = await asyncio.gather(follow(), follow(), tell())
        return [one, two]

    assert asyncio.run(both()) == [["started", "epoch"]] * 2


def test_who_comes_late_to_a_long_training_gets_all_of_its_epochs() -> None:
    history = EventHistory()
    for epoch in range(2000):
        history.add("epoch", {"epoch": epoch})
    assert [event.data["epoch"] for event in read(history)] == list(range(2000))


def test_only_the_last_snapshot_and_state_are_kept() -> None:
    history = EventHistory()
    for step in range(3):
        history.add("snapshot", {"step": step})
        history.add("state", {"state": step})
    found = [(event.id, event.name, *event.data.values()) for event in read(history)]
    assert found == [(5, "snapshot", 2), (6, "state", 2)]


def test_a_long_curve_is_thinned_out_and_keeps_its_ends() -> None:
    history, most = EventHistory(), MOST_KEPT["progress"]
    for step in range(10 * most):
        history.add("progress", {"step": step})
    steps = [event.data["step"] for event in read(history)]
    assert most / 2 <= len(steps) <= most
    assert steps[0] == 0
    assert steps[-1] == 10 * most - 1
    assert steps == sorted(steps)


def test_who_reconnects_gets_only_what_is_new() -> None:
    history = EventHistory()
    for step in range(5):
        history.add("progress", {"step": step})
    assert [event.id for event in read(history, after=3)] == [4, 5]


def test_who_names_an_event_that_has_not_been_gets_the_next_one() -> None:
    history = EventHistory()
    history.add("started", {})

    async def follow() -> list[int]:
        with history.listen(after=10**18) as happening:
            history.add("epoch", {})
            history.end()
            return [event.id async for event in happening]

    assert asyncio.run(follow()) == [2]


def test_the_end_is_told_to_those_who_listen_and_to_those_who_come() -> None:
    history = EventHistory()
    history.add("started", {})

    async def follow() -> list[str]:
        with history.listen() as happening:
            asyncio.get_running_loop().call_later(0.01, history.end)
            return [event.name async for event in happening]

    assert asyncio.run(follow()) == ["started"]
    assert [event.name for event in read(history)] == ["started"]


def test_since_when_nobody_listens_is_known() -> None:
    history = EventHistory()
    with history.listen():
        assert history.listeners == 1
        before = time.monotonic()
    assert history.listeners == 0
    assert history.alone_since >= before
