from __future__ import annotations

import asyncio
import math
import time

from taller_cnn.lab.history import MOST_PROGRESS, MOST_WAITING, Event, EventHistory


def names(past: list[Event], queue: asyncio.Queue) -> list[str | None]:
    found: list[str | None] = [event.name for event in past]
    while not queue.empty():
        event = queue.get_nowait()
        found.append(event and event.name)
    return found


def test_an_event_is_a_line_of_json_whatever_its_numbers() -> None:
    event = Event(id=3, name="epoch", data={"loss": math.nan, "name": "ñ"})
    text = event.to_bytes().decode("ascii")
    assert text == 'id: 3\nevent: epoch\ndata: {"loss": null, "name": "\\u00f1"}\n\n'


def test_who_comes_late_gets_what_happened_and_then_what_happens() -> None:
    history = EventHistory()
    history.add("started", {})
    history.add("epoch", {"epoch": 1})
    with history.listen() as (past, queue):
        history.add("epoch", {"epoch": 2})
        assert names(past, queue) == ["started", "epoch", "epoch"]


def test_who_comes_late_to_a_long_training_gets_all_of_its_epochs() -> None:
    history = EventHistory()
    epochs = 2 * MOST_WAITING
    for epoch in range(epochs):
        history.add("epoch", {"epoch": epoch})
    with history.listen() as (past, queue):
        history.add("epoch", {"epoch": epochs})
        assert len(names(past, queue)) == epochs + 1
        assert history.listeners == 1


def test_only_the_last_snapshot_and_state_are_kept() -> None:
    history = EventHistory()
    for step in range(3):
        history.add("snapshot", {"step": step})
        history.add("state", {"state": step})
    with history.listen() as (past, _):
        pass
    assert [(e.name, *e.data.values()) for e in past] == [("snapshot", 2), ("state", 2)]


def test_a_long_curve_is_thinned_out_and_keeps_its_ends() -> None:
    history = EventHistory()
    for step in range(10 * MOST_PROGRESS):
        history.add("progress", {"step": step})
    with history.listen() as (past, _):
        steps = [e.data["step"] for e in past]
    assert MOST_PROGRESS / 2 <= len(steps) <= MOST_PROGRESS
    assert steps[0] == 0
    assert steps[-1] >= 10 * MOST_PROGRESS - 2
    assert steps == sorted(steps)


def test_who_reconnects_gets_only_what_is_new() -> None:
    history = EventHistory()
    for step in range(5):
        history.add("progress", {"step": step})
    with history.listen(after=3) as (past, _):
        assert [e.id for e in past] == [4, 5]


def test_who_does_not_read_is_let_go_and_misses_nothing_when_it_comes_back() -> None:
    history = EventHistory()
    with history.listen() as (_, queue):
        for step in range(MOST_WAITING + 10):
            history.add("epoch", {"step": step})
        assert history.listeners == 0
        *read, end = [queue.get_nowait() for _ in range(queue.qsize())]
    assert end is None
    assert [event.data["step"] for event in read] == list(range(MOST_WAITING))
    with history.listen(after=read[-1].id) as (past, _):
        assert [event.data["step"] for event in past] == list(
            range(MOST_WAITING, MOST_WAITING + 10)
        )


def test_the_end_is_told_to_those_who_listen_and_to_those_who_come() -> None:
    history = EventHistory()
    history.add("started", {})
    with history.listen() as early:
        history.end()
        assert names(*early) == ["started", None]
    with history.listen() as late:
        assert names(*late) == ["started", None]


def test_since_when_nobody_listens_is_known() -> None:
    history = EventHistory()
    with history.listen():
        assert history.listeners == 1
        before = time.monotonic()
    assert history.listeners == 0
    assert history.alone_since >= before


def test_an_event_on_the_wire_is_one_block_of_lines() -> None:
    text = Event(7, "epoch", {"x": "a\nñ"}).to_bytes().decode("ascii")
    assert text == 'id: 7\nevent: epoch\ndata: {"x": "a\\n\\u00f1"}\n\n'
