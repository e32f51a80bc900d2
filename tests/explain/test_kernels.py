from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from taller_cnn.explain.kernels import KernelFit, classify, edge_test, random_kernels


def gabor(side: int, orientation: float) -> Tensor:
    """An odd Gabor kernel whose edge runs at `orientation` degrees, counted upwards from x."""
    axis = torch.arange(side, dtype=torch.float64) - side // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    across = math.radians(orientation + 90)
    # Rows count downwards.
    along = x * math.cos(across) - y * math.sin(across)
    return torch.exp(-(x**2 + y**2) / (side / 2.5) ** 2) * torch.sin(
        2 * math.pi * along / side / 1.2
    )


def fit(edges: int, n: int) -> KernelFit:
    kinds = ("edge",) * edges + ("other",) * (n - edges)
    return KernelFit(kinds=kinds, shares=torch.zeros(n, 3), orientation=torch.zeros(n))


@pytest.mark.parametrize("side", [3, 5, 7])
def test_the_orientation_of_gabor_kernels_is_found_to_six_degrees(side: int) -> None:
    angles = torch.arange(0, 180, 10).double()
    found = classify(torch.stack([gabor(side, float(angle)) for angle in angles]))
    assert set(found.kinds) == {"edge"}
    off = (found.orientation - angles + 90) % 180 - 90
    assert off.abs().max() < 6


def test_sobel_kernels_are_edges_across_their_gradient() -> None:
    horizontal = torch.tensor([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]])
    found = classify(torch.stack([horizontal, horizontal.T, -horizontal]))
    assert found.kinds == ("edge",) * 3
    assert found.orientation.tolist() == pytest.approx([0, 90, 0], abs=1e-6)
    assert found.shares[:, 0].min() > 0.99


def test_a_centre_against_its_surround_is_a_blob_and_a_mean_is_a_blur() -> None:
    blob = torch.tensor([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]])
    found = classify(torch.stack([blob, -blob, torch.ones(3, 3)]))
    assert found.kinds == ("blob", "blob", "blur")


def test_one_pixel_has_no_shape_and_no_orientation() -> None:
    found = classify(torch.randn(4, 1, 1))
    assert found.kinds == ("other",) * 4
    assert found.orientation.isnan().all()


def test_a_kernel_of_zeros_is_nothing() -> None:
    found = classify(torch.zeros(1, 3, 3))
    assert found.kinds == ("other",)
    assert found.orientation.isnan().all()


def test_about_one_random_kernel_in_seven_looks_like_an_edge() -> None:
    found = classify(random_kernels(1000, 3, seed=0))
    assert 100 < found.count("edge") < 200


def test_the_shares_of_a_kernel_do_not_depend_on_its_scale() -> None:
    kernels = random_kernels(20, 5, seed=1)
    assert torch.allclose(classify(kernels).shares, classify(-7 * kernels).shares)


@pytest.mark.parametrize(
    ("edges", "before", "learned"), [(12, 2, True), (12, 11, False), (3, 0, False), (2, 2, False)]
)
def test_edges_are_learned_only_if_there_are_more_than_by_chance_and_than_before(
    edges: int, before: int, learned: bool
) -> None:
    result = edge_test(fit(edges, 16), fit(before, 16), fit(100, 1000), same_filters=True)
    assert result.learned is learned


def test_filters_that_changed_are_compared_by_the_binomial_test() -> None:
    result = edge_test(fit(6, 16), fit(1, 16), fit(100, 1000), same_filters=True)
    # Five became edges, none ceased to be one.
    assert result.p_untrained == pytest.approx(0.5**5)


def test_the_comparison_with_random_kernels_is_fishers() -> None:
    result = edge_test(fit(1, 2), fit(0, 2), fit(1, 2), same_filters=False)
    # Of the six ways to put two edges into two and two, all but one have at least one here.
    assert result.p_random == pytest.approx(5 / 6)
    assert result.p_untrained == pytest.approx(1 / 2)
