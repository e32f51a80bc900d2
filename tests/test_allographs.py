"""Allographs: the form that is asked for, on the digits that have it, from the given chance."""

from __future__ import annotations

import pytest
import torch
from scipy.ndimage import label as connected
from torch import Tensor

from taller_cnn.allographs import ALLOGRAPHS, with_allographs

N = 60


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ink(*boxes: tuple[int, int, int, int]) -> Tensor:
    """`N` images of upright boxes: top, bottom, left, right, the second ones past the ink."""
    image = torch.zeros(N, 1, 28, 28)
    for top, bottom, left, right in boxes:
        image[..., top:bottom, left:right] = 1
    return image


ONE = ink((4, 24, 13, 15))
SEVEN = ink((4, 6, 7, 19), (6, 24, 16, 18))
NINE = ink((4, 6, 8, 18), (10, 12, 8, 18), (6, 10, 8, 10), (4, 24, 16, 18))


def added(name: str, images: Tensor) -> Tensor:
    """Where each of `N` digits has more ink than before, ``bool [N, 28, 28]``."""
    digits = torch.full((N,), ALLOGRAPHS[name].digit)
    drawn, _ = with_allographs(images, digits, {name: 1.0}, seeded())
    assert bool((drawn >= images).all())
    assert float(drawn.max()) <= 1
    return (drawn - images)[:, 0] > 0.5


def places(new: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Rows and columns of the new ink of each image; each has some."""
    found = [tuple(one.nonzero().T) for one in new]
    assert all(len(rows) >= 3 for rows, _ in found)
    return [(rows, columns) for rows, columns in found]


def test_a_flag_falls_steeply_to_the_left_of_the_top_and_nowhere_else() -> None:
    for rows, columns in places(added("flagged_ones", ONE)):
        assert int(columns.max()) <= 15
        assert int(rows.max()) <= 4 + 0.7 * 20
        out, down = 14 - int(columns.min()), int(rows[columns == columns.min()].max()) - 4
        assert 3 <= out <= 0.33 * 20 + 3
        # 35 degrees, less the round end of the stroke.
        assert down >= 0.7 * (out - 2)


def test_a_foot_goes_to_both_sides_of_the_bottom() -> None:
    for rows, columns in places(added("footed_ones", ONE)):
        assert int(rows.min()) >= 20
        assert int(columns.min()) <= 12
        assert int(columns.max()) >= 15


def test_a_bar_crosses_the_stem_of_a_seven_below_its_top() -> None:
    for rows, columns in places(added("barred_sevens", SEVEN)):
        assert int(rows.min()) >= 9
        assert int(rows.max()) <= 20
        assert int(columns.min()) < 16
        assert int(columns.max()) > 17


def test_a_tail_goes_to_the_left_of_the_foot_and_stays_below_the_bowl() -> None:
    for rows, columns in places(added("tailed_nines", NINE)):
        assert int(rows.min()) >= 16
        assert int(columns.min()) <= 14
        assert int(columns.max()) <= 19


def holes(images: Tensor) -> list[int]:
    """Grounds enclosed by each digit."""
    return [int(connected(image.numpy() <= 0.5)[1]) - 1 for image in images[:, 0]]


def test_a_pointed_four_encloses_a_triangle_and_an_open_one_nothing() -> None:
    images, digits = ink((2, 26, 4, 6), (16, 18, 4, 20), (2, 26, 18, 20)), torch.full((N,), 4)
    pointed, _ = with_allographs(images, digits, {"pointed_fours": 1.0}, seeded())
    opened, _ = with_allographs(images, digits, {"open_fours": 1.0}, seeded())
    assert all(holes(pointed))
    # Where limb and stem begin near each other, a wide pen can join them.
    assert holes(opened).count(0) >= 0.9 * N
    for drawn in (pointed, opened):
        rows = (drawn[:, 0].amax(dim=2) > 0.5).sum(dim=1)
        assert int(rows.min()) >= 22
        assert int(rows.max()) <= 26


def test_strokes_are_as_wide_as_the_digits_own() -> None:
    thin, wide = ink((4, 24, 13, 15)), ink((4, 24, 12, 16))
    digits = torch.full((N,), 1)
    for images, width in ((thin, 2), (wide, 4)):
        drawn, _ = with_allographs(images, digits, {"footed_ones": 1.0}, seeded())
        # Across the foot, beside the stem.
        across = drawn[:, 0, 16:, 16:].sum(dim=1).amax(dim=1)
        assert float(across.mean()) == pytest.approx(0.95 * width, rel=0.2)


@pytest.mark.parametrize("name", ALLOGRAPHS)
def test_the_share_of_the_digit_that_has_the_form_gets_it_and_others_stay(name: str) -> None:
    images = ink((4, 24, 13, 15), (10, 12, 8, 18)).repeat(20, 1, 1, 1)
    digits = torch.arange(len(images)) % 11 - 1
    drawn, moved = with_allographs(images, digits, {name: 0.3}, seeded())
    changed = (drawn != images).flatten(1).any(dim=1)
    mine = digits == ALLOGRAPHS[name].digit
    assert not bool(changed[~mine].any())
    assert 0.15 < float(changed[mine].float().mean()) < 0.45
    assert torch.equal(moved[~changed], torch.zeros_like(moved[~changed]))


def test_what_becomes_of_a_digit_depends_on_no_other_and_on_the_given_chance_alone() -> None:
    images, shares = ONE.clone(), dict.fromkeys(ALLOGRAPHS, 0.5)
    digits = torch.tensor([1, 4, 7, 9]).repeat(N // 4)
    before = torch.random.get_rng_state()
    first, _ = with_allographs(images, digits, shares, seeded(3))
    again, _ = with_allographs(images, digits, shares, seeded(3))
    other, _ = with_allographs(images, digits, shares, seeded(4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)
    digits[::2] = -1
    alone, _ = with_allographs(images, digits, shares, seeded(3))
    assert torch.allclose(alone[1::2], first[1::2], atol=1e-4)
    assert torch.equal(alone[::2], images[::2])


def test_one_four_is_not_drawn_twice() -> None:
    images, digits = ONE.clone(), torch.full((N,), 4)
    both = {"pointed_fours": 0.5, "open_fours": 1.0}
    drawn, _ = with_allographs(images, digits, both, seeded())
    pointed, _ = with_allographs(images, digits, {"pointed_fours": 0.5}, seeded())
    chosen = (pointed != images).flatten(1).any(dim=1)
    assert 0 < int(chosen.sum()) < N
    assert torch.allclose(drawn[chosen], pointed[chosen], atol=1e-4)


def test_no_image_and_no_ink_are_fine() -> None:
    shares = dict.fromkeys(ALLOGRAPHS, 1.0)
    none, moved = with_allographs(ONE[:0], torch.zeros(0, dtype=torch.int64), shares, seeded())
    assert (none.shape, moved.shape) == ((0, 1, 28, 28), (0, 2))
    blank, _ = with_allographs(
        torch.zeros(4, 1, 28, 28), torch.tensor([1, 4, 7, 9]), shares, seeded()
    )
    assert float(blank.abs().max()) == 0
