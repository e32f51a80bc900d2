"""Augmentation: each image its own way, by as much as it says, from the generator it is given."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from taller_cnn.allographs import ALLOGRAPHS
from taller_cnn.augmentation import AUGMENTATIONS, Augmentation, augment, variations
from taller_cnn.data import Digits
from taller_cnn.errors import ConfigError
from taller_cnn.messages import Messages

HANDWRITING = AUGMENTATIONS["handwriting"]
FIELDS = [field.name for field in dataclasses.fields(Augmentation)]
STRENGTHS = [name for name in FIELDS if name not in ALLOGRAPHS]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def images(sample_digits: Digits) -> Tensor:
    return sample_digits.train.images[:200]


def dot(n: int, row: int, column: int, side: int = 28) -> Tensor:
    """`n` images of one soft dot of ink."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    ink = torch.exp(-((y - row) ** 2 + (x - column) ** 2) / 8.0)
    return ink.expand(n, 1, side, side).clone()


def centres(images: Tensor) -> Tensor:
    """Centre of the ink of each image, ``[N, 2]``: row and column."""
    weights = images / images.sum(dim=(2, 3), keepdim=True)
    line = torch.arange(images.shape[-1], dtype=images.dtype)
    down = (weights.sum(dim=3) * line).sum(dim=2)
    across = (weights.sum(dim=2) * line).sum(dim=2)
    return torch.cat([down, across], dim=1)


def bar(n: int, half_width: int) -> Tensor:
    """`n` images of an upright bar 16 pixels high."""
    image = torch.zeros(n, 1, 28, 28)
    image[:, :, 6:22, 14 - half_width : 14 + half_width] = 1
    return image


def test_the_same_seed_gives_the_same_images_and_another_seed_others(images: Tensor) -> None:
    first, again, other = (augment(images, HANDWRITING, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_variations_show_a_digit_of_each_class_as_it_is_and_then_varied(
    sample_digits: Digits,
) -> None:
    images, labels = sample_digits.train.images, sample_digits.train.labels
    varied, classes = variations(images, labels, AUGMENTATIONS["affine"], seed=1, n=4)
    assert classes.tolist() == [label for label in range(10) for _ in range(4)]
    assert (varied.dtype, tuple(varied.shape)) == (torch.uint8, (40, 1, 28, 28))
    for label in range(10):
        first, *others = varied[4 * label : 4 * label + 4]
        assert torch.equal(first, images[labels == label][0])
        assert len({other.numpy().tobytes() for other in (first, *others)}) == 4


def test_variations_of_known_digits_show_their_other_forms(sample_digits: Digits) -> None:
    images, labels = sample_digits.train.images, sample_digits.train.labels
    # Noise too little for a grey level.
    forms = Augmentation(noise=1e-9, flagged_ones=1.0)
    varied, classes = variations(images, labels, forms, seed=1, n=3, digits=labels)
    changed = (varied[1::3] != varied[::3]).flatten(1).any(dim=1)
    assert torch.equal(changed, classes[::3] == 1)


def test_chance_comes_from_the_given_generator_alone(images: Tensor) -> None:
    before = torch.random.get_rng_state()
    augment(images, HANDWRITING, seeded())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_whole_numbers_and_fractions_give_the_same_and_neither_is_changed(images: Tensor) -> None:
    kept, fractions = images.clone(), images.float() / 255
    kept_fractions = fractions.clone()
    from_bytes = augment(images, HANDWRITING, seeded())
    from_fractions = augment(fractions, HANDWRITING, seeded())
    assert torch.equal(from_bytes, from_fractions)
    assert torch.equal(images, kept)
    assert torch.equal(fractions, kept_fractions)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_each_strength_alone_varies_the_images_within_the_range_of_ink(
    images: Tensor, strength: str
) -> None:
    one = dataclasses.replace(Augmentation(), **{strength: getattr(HANDWRITING, strength)})
    varied = augment(images, one, seeded())
    assert varied.shape == images.shape
    assert varied.dtype == torch.float32
    assert float(varied.min()) >= 0
    assert float(varied.max()) <= 1
    changed = (varied - images / 255).abs().amax(dim=(1, 2, 3))
    assert float((changed > 0.01).float().mean()) > 0.9


def test_other_forms_are_drawn_where_the_digits_are_known_and_stay_in_the_middle(
    sample_digits: Digits,
) -> None:
    images, labels = sample_digits.train.images[:300], sample_digits.train.labels[:300]
    still = Augmentation(noise=0.0, shift=1e-6, flagged_ones=1.0, footed_ones=1.0)
    plain = augment(images, still, seeded())
    drawn = augment(images, still, seeded(), labels)
    ones = labels == 1
    changed = (drawn - plain).abs().amax(dim=(1, 2, 3)) > 0.1
    assert torch.equal(changed, ones)
    away = (centres(drawn[ones]) - centres(plain[ones])).abs()
    assert float(away.max()) < 0.2


def test_an_augmentation_without_other_forms_draws_the_same_with_the_digits_known(
    sample_digits: Digits,
) -> None:
    images, labels = sample_digits.train.images[:50], sample_digits.train.labels[:50]
    affine = AUGMENTATIONS["affine"]
    known = augment(images, affine, seeded(), labels)
    assert torch.equal(augment(images, affine, seeded()), known)


def test_strength_zero_changes_nothing(images: Tensor) -> None:
    assert torch.equal(augment(images, AUGMENTATIONS["none"], seeded()), images / 255)


def test_equal_images_are_each_varied_in_their_own_way(images: Tensor) -> None:
    varied = augment(images[:1].expand(64, -1, -1, -1), HANDWRITING, seeded()).flatten(1)
    distances = torch.cdist(varied, varied) + torch.eye(64) * 1e9
    assert float(distances.min()) > 1


def test_shifts_reach_their_strength_and_go_no_further() -> None:
    moved = centres(augment(dot(500, 12, 15), Augmentation(shift=3), seeded()))
    away = moved - torch.tensor([12.0, 15.0])
    assert 2.9 < float(away.abs().max()) <= 3.01
    assert away.mean(dim=0).abs().max() < 0.3
    assert away.std(dim=0).tolist() == pytest.approx([3 / math.sqrt(3)] * 2, rel=0.1)


def test_turning_moves_ink_on_a_circle_by_at_most_the_angle() -> None:
    placed = centres(augment(dot(500, 5, 13, side=27), Augmentation(rotation=30), seeded())) - 13
    assert placed.norm(dim=1).tolist() == pytest.approx([8.0] * 500, abs=0.1)
    angles = torch.rad2deg(torch.atan2(placed[:, 1], -placed[:, 0]))
    assert 28 < float(angles.abs().max()) < 30.5


def test_on_an_oblong_image_turning_is_a_rotation_too() -> None:
    image = torch.zeros(200, 1, 27, 41)
    image[:, :, :, 7:34] = dot(200, 5, 13, side=27)
    turned = augment(image, Augmentation(rotation=30), seeded())[..., 7:34]
    assert (centres(turned) - 13).norm(dim=1).tolist() == pytest.approx([8.0] * 200, abs=0.15)


def test_the_slant_moves_ink_across_by_its_height() -> None:
    moved = centres(augment(dot(500, 5, 13, side=27), Augmentation(shear=0.5), seeded())) - 13
    assert moved[:, 0].tolist() == pytest.approx([-8.0] * 500, abs=0.1)
    assert 3.8 < float(moved[:, 1].abs().max()) < 4.1


def test_scaling_keeps_the_proportions_and_stretching_the_area() -> None:
    image = torch.zeros(500, 1, 28, 28)
    image[:, :, 9:19, 9:19] = 1
    scaled = augment(image, Augmentation(scale=0.3), seeded())
    high, wide = (scaled.amax(dim=dims).sum(dim=(1, 2)) for dims in ((3,), (2,)))
    assert (high - wide).abs().max() < 0.1
    assert float(high.max()) == pytest.approx(10 * math.exp(0.3), rel=0.1)
    stretched = augment(image, Augmentation(stretch=0.4), seeded())
    areas = stretched.sum(dim=(1, 2, 3))
    assert areas.tolist() == pytest.approx([100.0] * 500, rel=0.05)
    high, wide = (stretched.amax(dim=dims).sum(dim=(1, 2)) for dims in ((3,), (2,)))
    assert float((wide / high).max()) > 1.3


def test_bending_displaces_by_the_stated_standard_deviation_and_smoothly() -> None:
    # On an image that rises evenly, grey levels tell where each pixel was taken from.
    ramp = (torch.arange(28) / 27).expand(2000, 1, 28, 28)
    moved = 27 * (augment(ramp, Augmentation(elastic=0.8), seeded()) - ramp)
    inside = moved[:, 0, 4:-4, 4:-4]
    assert float(inside.std()) == pytest.approx(0.8, rel=0.05)
    assert float(inside.mean()) == pytest.approx(0, abs=0.02)
    near = torch.corrcoef(torch.stack([inside[:, 8, 8], inside[:, 8, 9]]))[0, 1]
    far = torch.corrcoef(torch.stack([inside[:, 1, 1], inside[:, 18, 18]]))[0, 1]
    assert float(near) > 0.9
    assert abs(float(far)) < 0.1


def test_strokes_become_wider_and_narrower_by_at_most_a_pixel_on_each_side() -> None:
    varied = augment(bar(500, 2), Augmentation(thickness=1.0), seeded())
    widths = varied[:, 0, 14].sum(dim=1)
    assert 2.0 <= float(widths.min()) < 2.1
    assert 5.9 < float(widths.max()) <= 6.0
    assert float(widths.mean()) == pytest.approx(4, abs=0.15)


def test_blur_and_noise_do_what_they_say() -> None:
    image = bar(500, 2)
    soft = augment(image, Augmentation(blur=1.0), seeded())
    assert soft.sum(dim=(1, 2, 3)).tolist() == pytest.approx([64.0] * 500, rel=1e-4)
    variance = ((torch.arange(28) - 13.5) ** 2 * soft.sum(dim=(1, 2))).sum(dim=1) / 64
    # The bar's own 15/12 and the blur's 1.
    assert float(variance.max()) == pytest.approx(15 / 12 + 1, rel=0.02)
    noisy = augment(torch.full((500, 1, 28, 28), 0.5), Augmentation(noise=0.1), seeded())
    deviations = noisy.std(dim=(1, 2, 3))
    assert float(deviations.max()) == pytest.approx(0.1, rel=0.06)
    assert float(deviations.mean()) == pytest.approx(0.05, rel=0.1)


def test_contrast_bends_the_greys_between_and_leaves_the_ends() -> None:
    ends = torch.tensor([0.0, 1.0]).repeat(100, 1, 28, 14)
    assert torch.allclose(augment(ends, Augmentation(contrast=1.0), seeded()), ends)
    grey = augment(torch.full((300, 1, 28, 28), 0.5), Augmentation(contrast=1.0), seeded())
    assert float(grey.min()) == pytest.approx(0.25, abs=0.01)
    assert float(grey.max()) == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("strength", FIELDS)
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_a_strength_that_makes_no_sense_is_refused(strength: str, value: float) -> None:
    with pytest.raises(ConfigError) as caught:
        Augmentation(**{strength: value})
    assert caught.value.key == "config_range"
    assert strength in caught.value.text(Messages("es"))


def test_a_single_image_and_no_image_at_all_are_fine(images: Tensor) -> None:
    assert augment(images[:1], HANDWRITING, seeded()).shape == (1, 1, 28, 28)
    assert augment(images[:0], HANDWRITING, seeded()).shape == (0, 1, 28, 28)
