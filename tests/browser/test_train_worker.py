"""The Worker that trains in the page, on digits that two pixels tell apart."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

START = """
  const config = {
    filters: [3], kernel_size: 3, pooling: "max", convs_per_pool: 1, hidden: 0, dropout: 0.2,
    batch_norm: false, activation: "relu", final_size: 4,
  };
  const made = (count) => {
    const labels = Uint8Array.from({ length: count }, (_, index) => index % 2);
    const images = new Uint8Array(count * 784);
    labels.forEach((label, index) => {
      const corner = index * 784 + (label ? 90 : 450) + (index % 7);
      for (let row = 0; row < 6; row += 1) {
        images.fill(255, corner + 28 * row, corner + 28 * row + 6);
      }
    });
    return { images, labels };
  };
  const order = {
    order: "start", config, classes: 10, scale: { mean: 0.1, std: 0.3 },
    train: made(200), test: made(50),
    seed: 5, batch: 16, rate: 0.01, epochs: 3,
  };
  /** Trains until it is over; `react` may answer each event with an order. */
  const train = (changes, react = () => null) => new Promise((resolve) => {
    const worker = new Worker("/static/train_worker.js", { type: "module" });
    const events = [];
    let over = false;
    worker.addEventListener("message", ({ data }) => {
      const { tensors, ...told } = data;
      events.push(told);
      over ||= ["finished", "stopped", "diverged"].includes(data.state);
      if (tensors || (over && data.state === "diverged")) {
        const weights = Object.entries(tensors ?? {}).flatMap(([, { data }]) => [...data]);
        if (over) {
          worker.terminate();
          resolve({ events, weights });
        }
      }
      for (const answer of [react(data, events)].flat()) if (answer) worker.postMessage(answer);
    });
    worker.postMessage({ ...order, ...changes });
  });
"""


def _run(modules: Any, code: str) -> Any:
    return modules.evaluate("async () => {" + START + code + "}")


def _of(run: dict[str, Any], event: str) -> list[dict[str, Any]]:
    return [told for told in run["events"] if told["event"] == event]


def test_it_learns_and_tells_how_it_goes(modules: Any) -> None:
    run = _run(modules, "return train({});")
    assert [told["state"] for told in _of(run, "state")] == ["running", "finished"]
    assert [told["passes"] for told in _of(run, "test")] == [112, 200, 312, 400, 512, 600]
    assert _of(run, "started")[0]["parameters"] == 3 * 10 + 10 * (48 + 1) == len(run["weights"])
    last = _of(run, "test")[-1]
    assert last["n"] == 50
    assert last["accuracy"] == 1
    assert last["loss"] < 0.2
    progress = _of(run, "progress")[-1]
    assert progress["passes"] == progress["most"] == 600
    assert progress["epochs"] == 3
    assert 0 < progress["loss"] < 1
    assert 0.5 < progress["accuracy"] <= 1
    assert progress["speed"] > 0


def test_the_same_seed_gives_the_same_network_with_or_without_a_pause(modules: Any) -> None:
    first, paused, other = _run(
        modules,
        """
        const pausing = ({ event, state }) => {
          if (event === "started") return { order: "pause" };
          return state === "paused" ? [{ order: "step" }, { order: "continue" }] : null;
        };
        return [await train({}), await train({}, pausing), await train({ seed: 6 })];
        """,
    )
    assert "paused" in [told.get("state") for told in paused["events"]]
    assert first["weights"] == paused["weights"]
    assert first["weights"] != other["weights"]


def test_paused_it_goes_on_batch_by_batch(modules: Any) -> None:
    run = _run(
        modules,
        """
        let steps = 0;
        return train({ epochs: 1000 }, ({ event, state }) => {
          if (event === "started") return { order: "pause" };
          if (state === "paused") return { order: "step" };
          if (event !== "progress") return null;
          steps += 1;
          return { order: steps < 14 ? "step" : "stop" };
        });
        """,
    )
    seen = [told["passes"] for told in _of(run, "progress")]
    steps = [after - before for before, after in pairwise(seen)]
    # The last batch of the 200 digits is the eight that are left.
    assert set(steps[-13:]) == {16, 8}
    assert [told["state"] for told in _of(run, "state")] == ["running", "paused", "stopped"]


def test_the_rate_can_be_changed_while_it_runs(modules: Any) -> None:
    """At rate 0 nothing moves any more."""
    run = _run(
        modules,
        """
        const kept = [];
        const result = await train({ epochs: 1000 }, (told, events) => {
          if (told.event === "started") return { order: "rate", rate: 0 };
          if (told.tensors) kept.push([...told.tensors["fc2.weight"].data]);
          const count = events.filter(({ event }) => event === "progress").length;
          if (told.event !== "progress") return null;
          return { order: count < 3 ? "weights" : "stop" };
        });
        return { kept, result };
        """,
    )
    assert len(run["kept"]) >= 2
    assert run["kept"][0] == run["kept"][-1]


def test_a_loss_that_is_no_number_is_told(modules: Any) -> None:
    run = _run(modules, "return train({ rate: 1e30 });")
    assert _of(run, "state")[-1]["state"] == "diverged"
    assert not _of(run, "weights")


@pytest.mark.parametrize("order", ["pause", "continue", "step", "stop", "rate"])
def test_an_order_without_a_training_does_nothing(modules: Any, order: str) -> None:
    told = modules.evaluate(
        """(order) => new Promise((resolve, reject) => {
          const worker = new Worker("/static/train_worker.js", { type: "module" });
          const told = [];
          worker.addEventListener("message", ({ data }) => told.push(data));
          worker.addEventListener("error", ({ message }) => reject(new Error(message)));
          worker.postMessage({ order });
          setTimeout(() => {
            worker.terminate();
            resolve(told);
          }, 400);
        })""",
        order,
    )
    assert told == []
