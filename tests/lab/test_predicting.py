from __future__ import annotations

import asyncio

import numpy as np
import pytest
import torch

from taller_cnn.data import Digits, normalise
from taller_cnn.lab.lab import Lab
from taller_cnn.lab.predicting import Batcher, probabilities, warm_up


def test_the_probabilities_are_the_networks(shared_lab: Lab, tiny_digits: Digits) -> None:
    model = shared_lab.shelf.get()
    images = tiny_digits.test.images[:20]
    found = probabilities(model.loaded.model, images[:, 0].float().numpy(), 0.1307, 0.3081)
    with torch.no_grad():
        expected = model.loaded.model(normalise(images, 0.1307, 0.3081)).softmax(dim=1)
    assert torch.allclose(found, expected, atol=1e-5)


def test_requests_that_come_together_get_each_their_own_answers(
    shared_lab: Lab, tiny_digits: Digits
) -> None:
    model = shared_lab.shelf.get()
    images = tiny_digits.test.images[:70, 0].float().numpy()
    sizes = [1, 3, 1, 40, 5, 20]

    async def together() -> list:
        batcher, start, asked = Batcher(), 0, []
        for size in sizes:
            asked.append(batcher.ask(model, images[start : start + size]))
            start += size
        return await asyncio.gather(*asked)

    answers = [answer for part in asyncio.run(together()) for answer in part]
    expected = probabilities(model.loaded.model, images, 0.1307, 0.3081)
    assert [len(part) for part in asyncio.run(together())] == sizes
    for answer, row in zip(answers, expected, strict=True):
        assert answer is not None
        assert answer[0] == int(row.argmax())
        assert answer[1] == pytest.approx(row.tolist(), abs=1e-5)


def test_an_image_without_ink_has_no_answer(shared_lab: Lab) -> None:
    images = np.zeros((2, 28, 28), dtype=np.float32)
    images[0] = 15
    images[1, 10, 10] = 16

    async def ask() -> list:
        return await Batcher().ask(shared_lab.shelf.get(), images)

    first, second = asyncio.run(ask())
    assert first is None
    assert second is not None


def test_a_fault_is_told_to_all_who_wait_and_spares_those_after(shared_lab: Lab) -> None:
    model = shared_lab.shelf.get()
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
    model = shared_lab.shelf.get()
    image = np.full((1, 28, 28), 99, np.float32)
    warm_up(model)

    async def ask() -> list:
        batcher = Batcher()
        gone, there = batcher.ask(model, image), batcher.ask(model, image)
        gone.cancel()
        return await there

    assert len(asyncio.run(ask())) == 1
