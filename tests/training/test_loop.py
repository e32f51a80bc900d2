"""Training: reproducible, resumable inside an epoch, honest about what it measured."""

from __future__ import annotations

import dataclasses
import io
import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from taller_cnn.augmentation import AUGMENTATIONS, Augmentation
from taller_cnn.config import ModelConfig, TrainConfig
from taller_cnn.data import Digits, LabelledImages, normalise
from taller_cnn.errors import ConfigError, DivergedError
from taller_cnn.evaluation import evaluate
from taller_cnn.model import SimpleCNN
from taller_cnn.training import (
    EpochResult,
    History,
    Progress,
    Training,
    TrainState,
    train,
)
from taller_cnn.training.batches import DROPOUT, ORDER, VARIATION, Batches, stream_seed
from taller_cnn.training.optimizers import lr_scale

SMALL = ModelConfig(filters=(4, 8), hidden=16)
# In float32 by name: with `auto` the numbers would be those of the processor that runs the tests.
QUICK = TrainConfig(epochs=2, batch_size=32, learning_rate=3e-3, device="cpu", precision="float32")


def finish(training: Training) -> list[EpochResult]:
    return [event for event in training if isinstance(event, EpochResult)]


def weights(model: SimpleCNN) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def trained(digits: Digits, config: TrainConfig = QUICK) -> dict[str, torch.Tensor]:
    model = SimpleCNN(SMALL, seed=config.seed)
    finish(train(model, digits, config))
    return weights(model)


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_the_loss_falls_and_the_digits_are_learned(tiny_digits: Digits) -> None:
    results = finish(train(SimpleCNN(SMALL), tiny_digits, QUICK.replace(epochs=12)))
    assert results[-1].train_loss < results[0].train_loss / 2
    assert results[-1].test is not None
    assert results[-1].test.accuracy > 0.6
    assert results[-1].test.n == len(tiny_digits.test)


def test_a_network_learns_as_many_classes_as_there_are(tiny_digits: Digits) -> None:
    def first_three(split: LabelledImages) -> LabelledImages:
        return split[split.labels < 3]

    digits = dataclasses.replace(
        tiny_digits,
        train=first_three(tiny_digits.train),
        validation=first_three(tiny_digits.validation),
        test=first_three(tiny_digits.test),
        class_names=("zero", "one", "two"),
    )
    model, config = SimpleCNN(SMALL, n_classes=digits.n_classes), QUICK.replace(epochs=15)
    training = train(model, digits, config)
    finish(training)
    assert training.test is not None
    assert training.test.confusion.shape == (3, 3)
    assert training.test.accuracy > 0.8
    names = [row["name"] for row in training.test.to_json(digits.class_names)["per_class"]]
    assert names == ["zero", "one", "two"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tiny_digits: Digits) -> None:
    first = trained(tiny_digits)
    assert same(first, trained(tiny_digits))
    assert not same(first, trained(tiny_digits, QUICK.replace(seed=1)))


def test_training_leaves_the_process_wide_generator_alone(tiny_digits: Digits) -> None:
    before = torch.random.get_rng_state()
    trained(tiny_digits)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_one_step_is_what_pytorch_does_by_hand(tiny_digits: Digits, optimizer: str) -> None:
    images = tiny_digits.train.images[:32]
    labels = tiny_digits.train.labels[:32]
    few = dataclasses.replace(tiny_digits, train=LabelledImages(images=images, labels=labels))
    config = QUICK.replace(epochs=1, optimizer=optimizer, label_smoothing=0.1)
    model = SimpleCNN(SMALL.replace(dropout=0.0), seed=0)
    twin = SimpleCNN(SMALL.replace(dropout=0.0), seed=0)
    [result] = finish(train(model, few, config))

    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimizer]
    by_hand = kind(twin.parameters(), lr=3e-3, betas=(0.9, 0.999))
    logits = twin(normalise(images, few.scale))
    loss = F.cross_entropy(logits, labels, label_smoothing=0.1)
    loss.backward()
    by_hand.step()
    # Told is what an evaluation would tell, whatever was minimised.
    assert result.train_loss == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5)
    assert result.train_accuracy == (logits.argmax(1) == labels).double().mean().item()
    for name, value in twin.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-4, atol=1e-6)


def test_every_digit_is_seen_once_per_epoch_and_in_another_order_in_the_next(
    tiny_digits: Digits,
) -> None:
    seen: list[torch.Tensor] = []

    class Spy(SimpleCNN):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                seen.append(x.detach().clone())
            return super().forward(x)

    finish(train(Spy(SMALL), tiny_digits, QUICK))
    steps = math.ceil(len(tiny_digits.train) / 32)
    first, second = torch.cat(seen[:steps]).flatten(1), torch.cat(seen[steps:]).flatten(1)
    all_digits = normalise(tiny_digits.train.images, tiny_digits.scale).flatten(1)
    assert torch.equal(first.sort(0).values, all_digits.sort(0).values)
    assert torch.equal(second.sort(0).values, all_digits.sort(0).values)
    assert not torch.equal(first, second)


def test_every_seed_has_an_order_of_its_own(tiny_digits: Digits) -> None:
    def first_epoch(seed: int) -> torch.Tensor:
        config, cpu = QUICK.replace(seed=seed), torch.device("cpu")
        batches = Batches(tiny_digits, config, cpu, torch.float32, lambda images: images)
        return torch.cat([batches[step].images for step in range(batches.per_epoch)])

    first = first_epoch(0)
    assert torch.equal(first, first_epoch(0))
    assert not torch.equal(first, first_epoch(1))


def test_other_forms_of_digits_are_drawn_by_the_names_of_the_classes(
    tiny_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Noise too little to see, so that only forms change images.
    forms = Augmentation(noise=1e-9, flagged_ones=1.0, footed_ones=1.0)
    known = {**AUGMENTATIONS, "handwriting": forms}
    monkeypatch.setattr("taller_cnn.training.batches.AUGMENTATIONS", known)

    def changed_labels(class_names: tuple[str, ...]) -> set[int]:
        named = dataclasses.replace(tiny_digits, class_names=class_names)
        config, cpu = QUICK.replace(augmentation="handwriting"), torch.device("cpu")
        plain = Batches(named, QUICK, cpu, torch.float32, lambda images: images)
        varied = Batches(named, config, cpu, torch.float32, lambda images: images)
        labels: set[int] = set()
        for step in range(plain.per_epoch):
            away = (plain[step].images - varied[step].images).abs().amax(dim=(1, 2, 3))
            labels |= set(plain[step].labels[away > 0.1].tolist())
        return labels

    assert changed_labels(tuple("0123456789")) == {1}
    assert changed_labels(tuple("0723456189")) == {7}
    # A data set of clothes has no ones.
    assert changed_labels(tuple("abcdefghij")) == set()


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_drawn_for_one_thing_is_drawn_for_no_other(seed: int) -> None:
    # One stream for several things: the first order would follow from the initial weights.
    streams = {stream_seed(seed, ORDER, epoch) for epoch in range(50)}
    streams |= {stream_seed(seed, VARIATION, step) for step in range(50)}
    streams |= {stream_seed(seed, DROPOUT), stream_seed(seed + 1, ORDER, 0), seed}
    assert len(streams) == 103


def test_the_dropout_and_the_first_order_are_not_those_of_the_initial_weights(
    tiny_digits: Digits,
) -> None:
    state = train(SimpleCNN(SMALL, seed=0), tiny_digits, QUICK).state()
    weights_stream = torch.Generator().manual_seed(0).get_state()
    assert not torch.equal(state.dropout, weights_stream)
    batch = Batches(tiny_digits, QUICK, torch.device("cpu"), torch.float32, lambda x: x)[0]
    first = torch.randperm(len(tiny_digits.train), generator=torch.Generator().manual_seed(0))
    assert not torch.equal(batch.labels, tiny_digits.train.labels[first[: QUICK.batch_size]])


def test_varied_digits_are_other_ones_in_every_epoch_but_the_same_with_the_same_seed(
    tiny_digits: Digits,
) -> None:
    def seen_in(seed: int) -> torch.Tensor:
        seen: list[torch.Tensor] = []

        class Spy(SimpleCNN):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                if self.training:
                    seen.append(x.detach().clone())
                return super().forward(x)

        finish(train(Spy(SMALL), tiny_digits, VARIED.replace(seed=seed)))
        return torch.cat(seen).flatten(1)

    first = seen_in(0)
    assert len(first.unique(dim=0)) == 2 * len(tiny_digits.train)
    # Paper is still where it was: the normalisation is that of the digits as they are.
    scale = tiny_digits.scale
    paper = -scale.mean / scale.std
    assert float(first.min()) == pytest.approx(paper, abs=1e-6)
    assert float(first.max()) <= (1 - scale.mean) / scale.std + 1e-6
    assert torch.equal(first, seen_in(0))
    assert not torch.equal(first, seen_in(1))


def test_varied_digits_leave_the_data_and_the_process_wide_generator_alone(
    tiny_digits: Digits,
) -> None:
    images, before = tiny_digits.train.images.clone(), torch.random.get_rng_state()
    trained(tiny_digits, VARIED)
    assert torch.equal(tiny_digits.train.images, images)
    assert torch.equal(torch.random.get_rng_state(), before)


FAST = QUICK.replace(
    optimizer="muon", first_layer="patches", middle=True, schedule="one-cycle", warmup=0.1
)


VARIED = QUICK.replace(augmentation="handwriting")
ALL_AT_ONCE = FAST.replace(augmentation="handwriting")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "config",
    [QUICK, FAST, VARIED, ALL_AT_ONCE],
    ids=["adam", "fast", "varied", "all at once"],
)
@pytest.mark.parametrize("stop_at", [1, 5, 10, 11, 19])
def test_a_stopped_training_goes_on_with_the_same_numbers(
    tiny_digits: Digits,
    stop_at: int,
    config: TrainConfig,
    precision: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("taller_cnn.training.loop.PROGRESS_SECONDS", 0.0)
    config = config.replace(precision=precision)
    whole = SimpleCNN(SMALL, seed=0)
    expected = finish(train(whole, tiny_digits, config))

    first = train(SimpleCNN(SMALL, seed=0), tiny_digits, config)
    for _ in first:
        if first.step == stop_at:
            break
    assert first.step == stop_at
    file = io.BytesIO()
    torch.save(first.state().to_dict(), file)
    file.seek(0)
    state = TrainState.from_dict(torch.load(file, weights_only=True))

    resumed = SimpleCNN(SMALL, seed=99)
    second = train(resumed, tiny_digits, config, state)
    finish(second)
    assert same(weights(whole), weights(resumed))
    assert len(second.history.epochs) == 2
    for ours, theirs in zip(second.history.epochs, expected, strict=True):
        assert ours.train_loss == theirs.train_loss
        assert ours.train_accuracy == theirs.train_accuracy
        assert (ours.validation, ours.test) == (theirs.validation, theirs.test)


def test_a_state_is_a_copy_that_further_training_does_not_change(tiny_digits: Digits) -> None:
    training = train(SimpleCNN(SMALL), tiny_digits, QUICK)
    next(training)
    state = training.state()
    before = {name: value.clone() for name, value in state.model.items()}
    moments = state.optimizers[0]["mean"][0].clone()
    finish(training)
    assert same(dict(state.model), before)
    assert torch.equal(state.optimizers[0]["mean"][0], moments)


def test_the_training_score_is_the_mean_over_the_digits_of_batches_of_two_sizes(
    tiny_digits: Digits,
) -> None:
    # A step too small to be seen: every batch is asked of the same network, as in an evaluation.
    still = QUICK.replace(epochs=1, learning_rate=1e-12)
    assert len(tiny_digits.train) % still.batch_size
    model = SimpleCNN(SMALL.replace(dropout=0.0), seed=0)
    [result] = finish(train(model, tiny_digits, still))
    whole = evaluate(model, tiny_digits.train, tiny_digits.scale)
    assert result.train_loss == pytest.approx(whole.loss, rel=1e-5)
    assert result.train_accuracy == pytest.approx(whole.accuracy, abs=1e-9)


def test_a_fraction_of_an_epoch_sees_that_fraction_of_the_digits(tiny_digits: Digits) -> None:
    training = train(SimpleCNN(SMALL), tiny_digits, QUICK.replace(epochs=0.5))
    [result] = finish(training)
    steps = round(0.5 * math.ceil(len(tiny_digits.train) / 32))
    assert training.steps == steps
    assert result.epoch == pytest.approx(0.5, abs=0.05)


def test_one_and_a_half_epochs_give_two_results(tiny_digits: Digits) -> None:
    epochs = [
        r.epoch for r in finish(train(SimpleCNN(SMALL), tiny_digits, QUICK.replace(epochs=1.5)))
    ]
    assert epochs[0] == 1.0
    assert epochs[1] == pytest.approx(1.5, abs=0.05)


def test_progress_is_told_at_every_step_but_the_last_which_is_the_epoch_s_result(
    tiny_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taller_cnn.training.loop.PROGRESS_SECONDS", 0.0)
    events = list(train(SimpleCNN(SMALL), tiny_digits, QUICK.replace(epochs=1)))
    progress = [event for event in events if isinstance(event, Progress)]
    assert [event.step for event in progress] == list(range(1, progress[0].of))
    assert all(event.images_per_second > 0 for event in progress)
    assert all(event.seconds_left > 0 for event in progress)
    assert isinstance(events[-1], EpochResult)


def test_recorded_scores_are_those_of_the_final_weights(tiny_digits: Digits) -> None:
    model = SimpleCNN(SMALL)
    training = train(model, tiny_digits, QUICK.replace(precision="bfloat16"))
    results = finish(training)
    again = evaluate(model.float(), tiny_digits.test, tiny_digits.scale)
    assert results[-1].test == again.score
    assert training.test is not None
    assert training.test.accuracy == again.accuracy


def test_a_finished_training_that_is_resumed_has_its_network_at_once(tiny_digits: Digits) -> None:
    whole = SimpleCNN(SMALL)
    training = train(whole, tiny_digits, ALL_AT_ONCE)
    finish(training)
    resumed = SimpleCNN(SMALL, seed=5)
    assert finish(train(resumed, tiny_digits, ALL_AT_ONCE, training.state())) == []
    assert same(weights(whole), weights(resumed))


def test_a_state_of_when_there_were_averages_is_read(tiny_digits: Digits) -> None:
    training = train(SimpleCNN(SMALL), tiny_digits, QUICK)
    next(training)
    state = training.state()
    again = TrainState.from_dict({**state.to_dict(), "average": []})
    assert same(dict(again.model), dict(state.model))


def test_a_short_run_is_looked_at_on_the_way_and_comes_to_the_same_weights(
    tiny_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = QUICK.replace(epochs=1.5, batch_size=8)
    model = SimpleCNN(SMALL)
    training = train(model, tiny_digits, config)
    results = finish(training)
    points, curve = training.history.points, training.history.training_curve
    assert len(points) == 17
    assert [point.epoch for point in points] == sorted({point.epoch for point in points})
    assert sum(point.validation is not None for point in points) == 4
    assert points[-1].validation is not None
    assert points[-1].validation.n == len(tiny_digits.validation)
    # Between two points the digits are counted once: together they are those of the epochs.
    steps = [0.0, *(point.epoch for point in curve)]
    first = [p.loss * (b - a) for p, a, b in zip(curve, steps, steps[1:], strict=False) if b <= 1]
    # But for the last batch of an epoch, which is a whole step and has fewer digits.
    assert sum(first) == pytest.approx(results[0].train_loss, rel=1e-3)
    assert curve[-1].loss < curve[0].loss

    monkeypatch.setattr("taller_cnn.training.loop.SHORT_EPOCHS", 0)
    plain = SimpleCNN(SMALL)
    finish(unseen := train(plain, tiny_digits, config))
    assert unseen.history.points == ()
    assert same(weights(model), weights(plain))


def test_a_short_run_that_was_stopped_has_the_same_curve(tiny_digits: Digits) -> None:
    config = QUICK.replace(epochs=1)
    whole = train(SimpleCNN(SMALL), tiny_digits, config)
    finish(whole)
    first = train(SimpleCNN(SMALL), tiny_digits, config)
    monkey = pytest.MonkeyPatch()
    monkey.setattr("taller_cnn.training.loop.PROGRESS_SECONDS", 0.0)
    for _ in first:
        if first.step == 7:
            break
    monkey.undo()
    state = TrainState.from_dict(first.state().to_dict())
    second = train(SimpleCNN(SMALL), tiny_digits, config, state)
    finish(second)
    assert second.history.points == whole.history.points
    assert len(second.history.points) > 7


def test_a_long_run_and_one_scored_at_its_end_are_not_looked_at(tiny_digits: Digits) -> None:
    for config, score in ((QUICK, "each-epoch"), (QUICK.replace(epochs=1), "last-epoch")):
        training = train(SimpleCNN(SMALL), tiny_digits, config, score=score)  # type: ignore[arg-type]
        finish(training)
        assert training.history.points == ()


def test_only_the_last_epoch_is_scored_on_request(tiny_digits: Digits) -> None:
    first, last = finish(train(SimpleCNN(SMALL), tiny_digits, QUICK, score="last-epoch"))
    assert first.validation is None
    assert first.test is None
    assert last.validation is not None
    assert last.test is not None


def test_nothing_held_out_means_no_validation_score(tiny_digits: Digits) -> None:
    empty = tiny_digits.validation[:0]
    digits = dataclasses.replace(tiny_digits, validation=empty)
    results = finish(train(SimpleCNN(SMALL), digits, QUICK))
    assert all(result.validation is None for result in results)
    assert History(tuple(results)).best_validation is None


def test_a_loss_that_is_not_a_number_stops_the_training(tiny_digits: Digits) -> None:
    model = SimpleCNN(SMALL)
    with torch.no_grad():
        model.fc2.weight.fill_(float("nan"))
    with pytest.raises(DivergedError, match=r"--learning-rate 0\.0003"):
        finish(train(model, tiny_digits, QUICK))


def test_a_network_that_the_last_step_spoils_is_not_a_result(
    tiny_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiling(config: TrainConfig, step: int, steps: int) -> float:
        return 1e40 if step == steps - 1 else lr_scale(config, step, steps)

    monkeypatch.setattr("taller_cnn.training.loop.lr_scale", spoiling)
    training = train(SimpleCNN(SMALL), tiny_digits, QUICK)
    with pytest.raises(DivergedError, match="no longer a number"):
        finish(training)
    assert training.step == training.steps


def test_an_unknown_device_is_refused_with_the_ones_there_are(tiny_digits: Digits) -> None:
    with pytest.raises(ConfigError, match="cpu"):
        train(SimpleCNN(SMALL), tiny_digits, QUICK.replace(device="abacus"))


def test_one_cycle_climbs_to_the_peak_and_falls_towards_zero() -> None:
    config = TrainConfig(schedule="one-cycle", learning_rate=1.0, warmup=0.25)
    rates = [lr_scale(config, step, 100) for step in range(100)]
    assert max(rates) == pytest.approx(1.0, abs=0.02)
    assert rates.index(max(rates)) in (24, 25)
    assert 0 < rates[0] < 0.05
    assert 0 < rates[-1] < 0.01
    assert all(b < a for a, b in itertools.pairwise(rates[26:]))


@pytest.mark.parametrize("config", [QUICK, FAST], ids=["adam", "fast"])
def test_layers_that_the_caller_froze_stay_as_they_are_and_stay_frozen(
    tiny_digits: Digits, config: TrainConfig
) -> None:
    model = SimpleCNN(SMALL)
    model.conv2.requires_grad_(False)
    before = weights(model)
    finish(train(model, tiny_digits, config))
    assert torch.equal(model.conv2.weight, before["conv2.weight"])
    assert torch.equal(model.conv2.bias, before["conv2.bias"])
    assert not torch.equal(model.fc2.weight, before["fc2.weight"])
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    assert frozen == {"conv2.weight", "conv2.bias"}


def test_the_best_validation_epoch_is_the_earliest_of_equals(tiny_digits: Digits) -> None:
    results = finish(train(SimpleCNN(SMALL), tiny_digits, QUICK.replace(epochs=3)))
    best = History(tuple(results)).best_validation
    assert best is not None
    accuracies = [result.validation.accuracy for result in results if result.validation]
    assert best.epoch == 1 + accuracies.index(max(accuracies))


def test_a_trained_network_can_be_copied(tiny_digits: Digits) -> None:
    import copy

    model = SimpleCNN(SMALL)
    finish(train(model, tiny_digits, QUICK.replace(epochs=1)))
    assert same(weights(copy.deepcopy(model)), weights(model))
