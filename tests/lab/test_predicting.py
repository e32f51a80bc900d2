from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest
import torch

from taller_cnn.config import ModelConfig
from taller_cnn.data import MNIST_SCALE, Digits, normalise
from taller_cnn.lab import predicting
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.predicting import INK, Batcher, probabilities
from taller_cnn.model import SimpleCNN


def test_the_probabilities_are_the_networks(shared_lab: Lab, tiny_digits: Digits) -> None:
    model = shared_lab.models.get()
    images = tiny_digits.test.images[:20]
    found = probabilities(model.loaded, images[:, 0].float().numpy())
    with torch.no_grad():
        expected = model.loaded.model(normalise(images, MNIST_SCALE)).softmax(dim=1)
    assert torch.allclose(found, expected, atol=1e-5)


def test_requests_that_come_together_get_each_their_own_answers(
    shared_lab: Lab, tiny_digits: Digits
) -> None:
    model = shared_lab.models.get()
    images = tiny_digits.test.images[:70, 0].float().numpy()
    sizes = [1, 3, 1, 40, 5, 20]

    async def together() -> list:
        batcher, start, asked = Batcher(), 0, []
        for size in sizes:
            asked.append(batcher.ask(model, images[start : start + size]))
            start += size
        return await asyncio.gather(*asked)

    answers = [answer for part in asyncio.run(together()) for answer in part]
    expected = probabilities(model.loaded, images)
    assert [len(part) for part in asyncio.run(together())] == sizes
    for answer, row in zip(answers, expected, strict=True):
        assert answer is not None
        assert answer[0] == int(row.argmax())
        assert answer[1] == pytest.approx(row.tolist(), abs=1e-5)


def sizes_of_passes(
    lab: Lab, sizes: list[int], patch: pytest.MonkeyPatch
) -> tuple[list[int], list[int]]:
    """Images of each pass, and the places of the requests in the order of their answers."""
    model, passes, done = lab.models.get(), [], []

    def counted(network: SimpleCNN, images: np.ndarray, *rest: float) -> torch.Tensor:
        passes.append(len(images))
        return probabilities(network, images, *rest)

    async def ask(batcher: Batcher, place: int, size: int) -> None:
        images = np.full((size, 28, 28), place + INK, np.float32)
        answers = await batcher.ask(model, images)
        assert len(answers) == size
        done.append(place)

    async def together() -> None:
        batcher = Batcher()
        await asyncio.gather(*(ask(batcher, i, size) for i, size in enumerate(sizes)))

    patch.setattr(predicting, "probabilities", counted)
    asyncio.run(together())
    return passes, done


def test_a_pass_is_filled_by_its_images_and_not_by_its_requests(
    shared_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes, _ = sizes_of_passes(shared_lab, [1] * 100 + [40] * 3, monkeypatch)
    assert passes == [64, 36 + 40, 40 + 40]


def test_a_large_request_goes_in_parts_and_lets_the_small_ones_by(
    shared_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes, done = sizes_of_passes(shared_lab, [1000, 1000, 1], monkeypatch)
    assert passes == [500, 500, 501, 500]
    assert done == [2, 0, 1]


def test_the_parts_of_a_large_request_are_put_together_in_their_order(
    shared_lab: Lab, tiny_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "LARGEST_PART", 8)
    model = shared_lab.models.get()
    images = tiny_digits.test.images[:20, 0].float().numpy()

    async def ask() -> list:
        return await Batcher().ask(model, images)

    expected = probabilities(model.loaded, images)
    for answer, row in zip(asyncio.run(ask()), expected, strict=True):
        assert answer[1] == pytest.approx(row.tolist(), abs=1e-5)


def test_between_two_passes_the_event_loop_does_what_else_there_is(shared_lab: Lab) -> None:
    model = shared_lab.models.get()
    images = np.full((1000, 28, 28), 99, np.float32)

    async def turns() -> int:
        batcher, turns = Batcher(), 0
        asked = [batcher.ask(model, images) for _ in range(3)]
        while not all(answer.done() for answer in asked):
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(turns()) >= 6


def test_an_image_without_ink_has_no_answer(shared_lab: Lab) -> None:
    images = np.zeros((2, 28, 28), dtype=np.float32)
    images[0] = 15
    images[1, 10, 10] = 16

    async def ask() -> list:
        return await Batcher().ask(shared_lab.models.get(), images)

    first, second = asyncio.run(ask())
    assert first is None
    assert second is not None


def test_a_fault_is_told_to_all_who_wait_and_spares_those_after(shared_lab: Lab) -> None:
    model = shared_lab.models.get()
    good, bad = np.full((1, 28, 28), 99, np.float32), np.zeros((1, 5, 5), np.float32)

    async def ask() -> list:
        batcher = Batcher()
        failed = await asyncio.gather(
            batcher.ask(model, good), batcher.ask(model, bad), return_exceptions=True
        )
        return [*failed, await batcher.ask(model, good)]

    one, two, after = asyncio.run(ask())
    assert isinstance(one, ValueError)
    assert isinstance(two, ValueError)
    assert len(after) == 1


def test_who_has_gone_is_not_answered(shared_lab: Lab) -> None:
    model = shared_lab.models.get()
    image = np.full((1, 28, 28), 99, np.float32)

    async def ask() -> list:
        batcher = Batcher()
        gone, there = batcher.ask(model, image), batcher.ask(model, image)
        gone.cancel()
        return await there

    assert len(asyncio.run(ask())) == 1


def test_a_costly_network_leaves_the_event_loop_free(own_lab: Lab, save_small) -> None:
    path = own_lab.models.folder / "cnn_mnist.pt"
    save_small(path, config=ModelConfig(filters=(256, 256, 256), hidden=0, pooling="none"))
    model = own_lab.models.get()
    images = np.full((3, 28, 28), 99, np.float32)

    async def longest_stop() -> tuple[float, int]:
        asked = Batcher().ask(model, images)
        longest, last = 0.0, time.monotonic()
        while not asked.done():
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - last)
            last = time.monotonic()
        return longest, len(await asked)

    began = time.monotonic()
    longest, answers = asyncio.run(longest_stop())
    assert answers == 3
    assert longest < (time.monotonic() - began) / 2


def test_a_pass_in_the_event_loop_has_as_many_images_as_its_cost_allows(
    shared_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "LOOP_MACS", 10 * shared_lab.models.get().card.macs)
    passes, _ = sizes_of_passes(shared_lab, [1] * 25 + [12], monkeypatch)
    assert passes == [10, 10, 5 + 10, 2]
