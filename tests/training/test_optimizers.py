"""Muon orthogonalises; Adam and AdamW get every weight."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from taller_cnn.config import TrainConfig
from taller_cnn.training.optimizers import Muon, make_optimizers, orthogonalised


@pytest.mark.parametrize("shape", [(8, 8), (8, 40), (40, 8)])
def test_singular_values_come_near_one_and_singular_vectors_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    result = orthogonalised(matrix, iterations=5)
    assert result.shape == shape
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.65
    assert values.max() < 1.25
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    in_its_frame = u.T @ result @ vh.T
    assert (in_its_frame - in_its_frame.diagonal().diag()).abs().max() < 1e-9


def test_the_gram_form_equals_the_iteration_on_the_matrix_itself() -> None:
    matrix = torch.randn(6, 20, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = matrix / (matrix.norm() + 1e-7)
    for _ in range(3):
        gram = x @ x.T
        x = 3.4445 * x - 4.7750 * gram @ x + 2.0315 * gram @ gram @ x
    torch.testing.assert_close(orthogonalised(matrix, iterations=3), x)


def test_a_zero_gradient_moves_nothing_and_gives_no_nan() -> None:
    weight = torch.nn.Parameter(torch.ones(3, 5))
    weight.grad = torch.zeros(3, 5)
    Muon([weight], rate=0.1, momentum=0.7).step(1.0)
    assert torch.equal(weight, torch.ones(3, 5))


def test_the_first_step_has_the_length_that_the_rate_says() -> None:
    weight = torch.nn.Parameter(torch.zeros(4, 2, 3, 3))
    weight.grad = torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(2))
    Muon([weight], rate=0.1, momentum=0.7).step(1.0)
    values = torch.linalg.svdvals(weight.detach().reshape(4, -1))
    assert values.max() < 0.13
    assert values.min() > 0.02


def test_muon_finds_the_minimum_of_a_quadratic() -> None:
    target = torch.randn(5, 7, generator=torch.Generator().manual_seed(3))
    weight = torch.nn.Parameter(torch.zeros(5, 7))
    optimizer = Muon([weight], rate=0.2, momentum=0.5)
    for step in range(200):
        optimizer.zero_grad()
        (weight - target).square().sum().backward()
        optimizer.step(1 - step / 200)
    assert (weight - target).abs().max() < 0.02


@pytest.mark.parametrize("name", ["adam", "adamw", "muon"])
def test_every_weight_has_exactly_one_optimiser_with_its_rate(name: str) -> None:
    matrices = [torch.nn.Parameter(torch.zeros(2, 2))]
    others = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(3))]
    config = TrainConfig(optimizer=name, learning_rate=0.01, muon_learning_rate=0.07)  # type: ignore[arg-type]
    optimizers = make_optimizers(config, matrices, others)
    found = [id(weight) for optimizer in optimizers for weight in optimizer.weights]
    assert sorted(found) == sorted(map(id, [*matrices, *others]))
    rates = {optimizer.rate for optimizer in optimizers}
    assert rates == ({0.07, 0.01} if name == "muon" else {0.01})


def test_making_and_using_an_optimiser_does_not_load_pytorch_s_compiler() -> None:
    code = """if True:
        import sys, torch
        from taller_cnn.config import TrainConfig
        from taller_cnn.training.optimizers import make_optimizers
        weights = [torch.ones(3, 3, requires_grad=True) for _ in range(2)]
        for optimizer in make_optimizers(TrainConfig(optimizer="muon"), weights[:1], weights[1:]):
            optimizer.weights[0].grad = torch.ones(3, 3)
            optimizer.step(1.0)
        assert "torch._dynamo" not in sys.modules
        """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("name", ["adam", "muon"])
def test_a_weight_without_a_gradient_stays_and_the_others_move_by_their_own(name: str) -> None:
    config = TrainConfig(optimizer=name)  # type: ignore[arg-type]
    still, moving = (torch.nn.Parameter(torch.zeros(2, 3)) for _ in range(2))
    for _ in range(2):
        for optimizer in make_optimizers(config, [still, moving], []):
            moving.grad = torch.tensor([[1.0, -1.0, 1.0], [-1.0, 1.0, 1.0]])
            optimizer.step(1.0)
    assert torch.equal(still, torch.zeros(2, 3))
    assert torch.equal(moving.sign(), -moving.grad.sign())
