"""Rendered pictures: the digits are there, where and what they are said to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rendering import KINDS, RenderedPicture, render, rendered_pictures

from taller_cnn.data import Digits

PAPER = ("photo", "squared", "ruled", "shadowed", "scan")


@pytest.fixture(scope="module")
def pictures(sample_digits: Digits) -> list[RenderedPicture]:
    return list(rendered_pictures(sample_digits.validation, 70, 5))


def brightness(picture: RenderedPicture) -> np.ndarray:
    grey = picture.pixels.astype(float)
    return grey if grey.ndim == 2 else grey.mean(axis=2)


def test_the_same_seed_gives_the_same_pictures_and_another_seed_others(
    sample_digits: Digits,
) -> None:
    def drawn(seed: int) -> list[bytes]:
        pictures = rendered_pictures(sample_digits.validation, 7, seed)
        return [picture.pixels.tobytes() for picture in pictures]

    assert drawn(1) == drawn(1)
    assert not set(drawn(1)) & set(drawn(2))


def test_chance_comes_from_the_seed_alone(sample_digits: Digits) -> None:
    legacy, torch_state = np.random.get_state(), torch.random.get_rng_state()
    list(rendered_pictures(sample_digits.validation, 7, 0))
    after = np.random.get_state()
    assert np.array_equal(legacy[1], after[1])
    assert torch.equal(torch_state, torch.random.get_rng_state())


def test_the_kinds_take_turns_and_give_colour_pictures_or_the_digit_itself(
    pictures: list[RenderedPicture],
) -> None:
    assert [picture.kind for picture in pictures] == list(KINDS) * 10
    for picture in pictures:
        assert picture.pixels.dtype == np.uint8
        small = picture.kind == "small"
        assert picture.pixels.shape == (28, 28) if small else picture.pixels.shape[2:] == (3,)
        assert 1 <= len(picture.marks) <= (1 if small else 6)


def test_every_mark_is_inside_the_picture_and_they_go_from_left_to_right_apart(
    pictures: list[RenderedPicture],
) -> None:
    for picture in pictures:
        height, width = picture.pixels.shape[:2]
        end = 0
        for mark in picture.marks:
            left, top, right, bottom = mark.box
            assert end <= left < right <= width
            assert 0 <= top < bottom <= height
            end = right


def test_there_is_contrast_in_every_box_and_almost_none_on_empty_screen(
    pictures: list[RenderedPicture],
) -> None:
    for picture in pictures:
        grey = brightness(picture)
        outside = np.ones(grey.shape, dtype=bool)
        for left, top, right, bottom in (mark.box for mark in picture.marks):
            inside = grey[top:bottom, left:right]
            assert np.ptp(inside) > 25
            outside[top:bottom, left:right] = False
        if picture.kind in ("mouse", "small"):
            assert np.ptp(grey[outside]) == 0


def test_the_text_is_the_digits_of_the_split_without_what_is_no_digit(
    sample_digits: Digits,
) -> None:
    split = sample_digits.validation
    written = "".join(p.text for p in rendered_pictures(split, 60, 3, others=0.0))
    # Every digit is used once before any is used again.
    used = len(written)
    counts = np.bincount([int(digit) for digit in written], minlength=10)
    assert 150 < used <= len(split)
    assert (counts <= np.bincount(split.labels.numpy(), minlength=10)).all()
    others = [m for p in rendered_pictures(split, 60, 3, others=0.5) for m in p.marks]
    unlabelled = sum(mark.label is None for mark in others)
    assert 0.3 < unlabelled / len(others) < 0.65
    mixed = next(p for p in rendered_pictures(split, 60, 3, others=0.5) if len(p.text) > 1)
    assert mixed.text == "".join(str(m.label) for m in mixed.marks if m.label is not None)


def test_a_split_smaller_than_what_is_asked_for_is_used_again(sample_digits: Digits) -> None:
    one = sample_digits.validation[:1]
    pictures = list(rendered_pictures(one, 7, 0, others=0.0))
    assert {digit for p in pictures for digit in p.text} == {str(int(one.labels[0]))}


def test_both_polarities_are_drawn_on_a_screen_and_in_small(sample_digits: Digits) -> None:
    for kind in ("mouse", "small"):
        pictures = rendered_pictures(sample_digits.validation, 30, 0, kinds=[kind], lines=False)
        corners = [float(brightness(picture)[0, 0]) for picture in pictures]
        assert min(corners) < 120
        assert max(corners) > 200


def test_single_digits_are_alone(sample_digits: Digits) -> None:
    pictures = rendered_pictures(sample_digits.validation, 21, 0, lines=False)
    assert {len(picture.marks) for picture in pictures} == {1}


def test_strokes_vary_from_thin_to_thick(sample_digits: Digits) -> None:
    split = sample_digits.validation
    parts = []
    for picture in rendered_pictures(split, 60, 0, kinds=["mouse"], lines=False, others=0.0):
        (mark,) = picture.marks
        grey = brightness(picture)
        inside = grey[mark.box[1] : mark.box[3], mark.box[0] : mark.box[2]]
        parts.append(float((np.abs(inside - grey[0, 0]) > 100).mean()))
    assert min(parts) < 0.15
    assert max(parts) > 0.45


def test_paper_has_the_lines_and_the_shadow_of_its_kind(sample_digits: Digits) -> None:
    image, label = sample_digits.validation.images[0, 0].numpy(), 0

    def ground(kind: str) -> list[np.ndarray]:
        """Red light per picture, left of the digit: the ink there is none of."""
        generator = np.random.default_rng(4)
        pictures = [render([image], [label], kind, generator) for _ in range(20)]
        return [p.pixels[..., 0][:, : p.marks[0].box[0]].astype(float) for p in pictures]

    def unevenness(kind: str) -> float:
        """Brightest less darkest row, the slow change taken off."""
        steps = [np.abs(np.diff(part.mean(axis=1))).max() for part in ground(kind)]
        return float(np.median(steps))

    assert unevenness("ruled") > 3 * unevenness("photo")
    darkest = {kind: np.median([p.min() / p.max() for p in ground(kind)]) for kind in PAPER}
    assert darkest["shadowed"] < darkest["photo"] - 0.05
    assert darkest["scan"] > darkest["photo"]
