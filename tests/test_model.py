from __future__ import annotations

import copy
import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from lesson_network import LessonCNN
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from taller_cnn.config import ModelConfig
from taller_cnn.model import (
    Ensemble,
    LayerRow,
    SeededDropout,
    SimpleCNN,
    count_parameters,
    describe,
    stages,
)


def _images(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, 1, 28, 28, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------- the lesson's network


def test_the_default_network_has_206922_parameters() -> None:
    assert count_parameters(SimpleCNN()) == 206_922
    assert sum(row.parameters for row in describe(ModelConfig())) == 206_922


def test_layers_that_are_kept_as_they_are_count_as_parameters_too() -> None:
    model = SimpleCNN()
    model.get_submodule("conv1").requires_grad_(False)
    assert count_parameters(model) == 206_922


def test_the_default_state_dict_has_the_names_and_shapes_of_the_lesson() -> None:
    shapes = {name: tuple(value.shape) for name, value in SimpleCNN().state_dict().items()}
    assert shapes == {
        "conv1.weight": (16, 1, 3, 3),
        "conv1.bias": (16,),
        "conv2.weight": (32, 16, 3, 3),
        "conv2.bias": (32,),
        "fc1.weight": (128, 1568),
        "fc1.bias": (128,),
        "fc2.weight": (10, 128),
        "fc2.bias": (10,),
    }
    assert {value.dtype for value in SimpleCNN().state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("seed", [0, 1, 7, 2**31 - 1])
def test_a_seed_gives_the_initial_weights_of_the_lessons_class(seed: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        lesson = LessonCNN().state_dict()
    ours = SimpleCNN(seed=seed).state_dict()
    assert all(torch.equal(ours[name], lesson[name]) for name in lesson)


@pytest.mark.parametrize("seed", [0, 3])
def test_equal_weights_give_the_lessons_logits_and_gradients(seed: int) -> None:
    ours, lesson = SimpleCNN(seed=seed), LessonCNN()
    lesson.load_state_dict(ours.state_dict(), strict=True)
    images, labels = _images(64, seed), torch.arange(64) % 10
    ours.eval()
    lesson.eval()
    for model in (ours, lesson):
        F.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(ours(images), lesson(images), atol=1e-5, rtol=0)
    for mine, theirs in zip(ours.parameters(), lesson.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-6, rtol=1e-4)


def test_different_seeds_give_different_weights() -> None:
    first, second = SimpleCNN(seed=1), SimpleCNN(seed=2)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert not torch.equal(one, other)


def test_building_and_training_leave_the_process_wide_generator_alone() -> None:
    before = torch.random.get_rng_state()
    model = SimpleCNN(ModelConfig(dropout=0.5, batch_norm=True), seed=5).train()
    model.dropout.generator = torch.Generator().manual_seed(1)
    model(_images(4)).sum().backward()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_network_can_be_copied_and_the_copy_is_its_own() -> None:
    model = SimpleCNN(ModelConfig(filters=(2,), hidden=3))
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.fc2.bias.add_(1)
    torch.testing.assert_close(
        other.eval()(_images(2)) - model.eval()(_images(2)), torch.ones(2, 10)
    )


# --------------------------------------------------------------- answers worked by hand


def _set(parameter: Tensor, values: Tensor | float) -> None:
    with torch.no_grad():
        parameter.copy_(torch.as_tensor(values, dtype=torch.float32).expand_as(parameter))


def test_a_convolution_slides_its_kernel_unflipped_over_the_zero_padded_image() -> None:
    model = SimpleCNN(ModelConfig(filters=(1,), pooling="none", hidden=1))
    conv = model.get_submodule("conv1")
    assert isinstance(conv, nn.Conv2d)
    _set(conv.weight, torch.arange(9.0).view(1, 1, 3, 3))
    assert conv.bias is not None
    _set(conv.bias, 0.5)
    image = torch.zeros(1, 1, 28, 28)
    image[0, 0, 10, 10] = 1
    image[0, 0, 0, 0] = 10
    out = model.stage(1, image)[0, 0]
    # A lone pixel sees the kernel turned round, because the kernel looks at it from each side.
    expected = torch.tensor([[8.0, 7, 6], [5, 4, 3], [2, 1, 0]]) + 0.5
    assert torch.equal(out[9:12, 9:12], expected)
    # In the corner only its centre, and the weights left of it and above it, find the pixel.
    assert torch.equal(out[:2, :2], torch.tensor([[40.5, 30.5], [10.5, 0.5]]))
    assert out[20, 20] == 0.5


def test_a_tiny_network_gives_the_logits_worked_out_by_hand() -> None:
    model = SimpleCNN(ModelConfig(filters=(1,), kernel_size=1, hidden=2, final_size=1, dropout=0))
    for name, value in {
        "conv1.weight": torch.tensor([[[[2.0]]]]),
        "conv1.bias": torch.tensor([-1.0]),
        "fc1.weight": torch.tensor([[3.0], [-4.0]]),
        "fc1.bias": torch.tensor([0.5, 1.0]),
        "fc2.weight": torch.stack([torch.arange(10.0), torch.full((10,), 100.0)], dim=1),
        "fc2.bias": torch.arange(10.0) - 5,
    }.items():
        _set(model.get_parameter(name), value)
    image = torch.zeros(2, 1, 28, 28)
    image[0, 0, 13, 4] = 2.0
    # First: brightest pixel 2 -> 2·2 - 1 = 3 -> hidden (3·3 + 0.5, max(0, 1 - 12)) = (9.5, 0).
    # Second: 2·0 - 1 < 0 -> 0 -> hidden (0.5, 1).
    classes = torch.arange(10.0)
    expected = torch.stack([9.5 * classes + classes - 5, 0.5 * classes + 100 + classes - 5])
    assert torch.equal(model.eval()(image), expected)
    assert torch.equal(model.embed(image), torch.tensor([[9.5, 0.0], [0.5, 1.0]]))


# -------------------------------------------------------------------------- the family


def _naive_activation(name: str, x: Tensor) -> Tensor:
    if name == "relu":
        return torch.where(x > 0, x, 0.0)
    if name == "tanh":
        return 1 - 2 / (torch.exp(2 * x) + 1)
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def _blocks(x: Tensor) -> Tensor:
    """The pixels of each 2x2 block in a dimension of their own; an odd edge is left out."""
    even = x.shape[-1] // 2 * 2
    return x[..., :even, :even].unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)


def _naive(model: SimpleCNN, x: Tensor) -> Tensor:
    """The family as its docstring describes it: convolution, activation, then pooling."""
    config, state = model.config, model.state_dict()
    for index in range(1, config.layers + 1):
        halve = x.shape[-1] >= 8 and config.pooling != "none" and index % config.convs_per_pool == 0
        weight, bias = state[f"conv{index}.weight"], state[f"conv{index}.bias"]
        x = F.conv2d(x, weight, bias, padding=config.kernel_size // 2)
        if config.pooling == "stride" and halve:
            x = x[..., ::2, ::2]
        if config.batch_norm:
            norm = {k: state[f"norm{index}.{k}"][:, None, None] for k in ("weight", "bias")}
            mean = state[f"norm{index}.running_mean"][:, None, None]
            variance = state[f"norm{index}.running_var"][:, None, None]
            x = (x - mean) / torch.sqrt(variance + 1e-5) * norm["weight"] + norm["bias"]
        x = _naive_activation(config.activation, x)
        if halve and config.pooling == "max":
            x = _blocks(x).amax(-1)
        if halve and config.pooling == "avg":
            x = _blocks(x).mean(-1)
    x = x.flatten(1)
    if config.hidden:
        hidden = x @ state["fc1.weight"].T + state["fc1.bias"]
        x = _naive_activation(config.activation, hidden)
    return x @ state["fc2.weight"].T + state["fc2.bias"]


@pytest.mark.parametrize(
    ("batch_norm", "convs_per_pool", "hidden"), [(False, 1, 6), (True, 1, 6), (True, 2, 0)]
)
@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
@pytest.mark.parametrize("pooling", ["max", "avg", "stride", "none"])
def test_every_member_computes_convolution_activation_pooling(
    pooling: str, activation: str, batch_norm: bool, convs_per_pool: int, hidden: int
) -> None:
    config = ModelConfig.from_dict(
        {
            "filters": [3, 2, 4],
            "kernel_size": 5,
            "hidden": hidden,
            "convs_per_pool": convs_per_pool,
            "pooling": pooling,
            "activation": activation,
            "batch_norm": batch_norm,
        }
    )
    model = SimpleCNN(config, seed=1)
    model.train()(_images(16, seed=3))
    if batch_norm:
        # Batch normalisation may turn the sign, and the order of pixels with it.
        _set(model.get_parameter("norm1.weight"), torch.tensor([1.0, -2.0, 0.5]))
    images = _images(5, seed=4)
    torch.testing.assert_close(model.eval()(images), _naive(model, images), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_logits_are_the_same_with_and_without_gradients(
    activation: str, layout: torch.memory_format
) -> None:
    model = SimpleCNN(ModelConfig.from_dict({"filters": [4, 8], "activation": activation})).eval()
    model = model.to(memory_format=layout)  # type: ignore[call-overload]
    images = _images(6, seed=2).to(memory_format=layout)
    with_gradients = model(images)
    assert with_gradients.requires_grad
    with torch.no_grad():
        assert torch.equal(model(images), with_gradients)


def _small_configs() -> st.SearchStrategy[ModelConfig]:
    return st.builds(
        ModelConfig,
        filters=st.lists(st.integers(1, 5), min_size=1, max_size=6).map(tuple),
        kernel_size=st.sampled_from([1, 3, 5, 7]),
        pooling=st.sampled_from(["max", "avg", "stride", "none"]),
        convs_per_pool=st.integers(1, 3),
        hidden=st.integers(0, 9),
        dropout=st.sampled_from([0.0, 0.5]),
        batch_norm=st.booleans(),
        activation=st.sampled_from(["relu", "gelu", "tanh"]),
        final_size=st.integers(0, 28),
    )


@settings(max_examples=30)
@given(_small_configs(), st.integers(2, 26), st.integers(0, 2**31 - 1))
def test_every_member_turns_images_into_finite_logits(
    config: ModelConfig, n_classes: int, seed: int
) -> None:
    model = SimpleCNN(config, n_classes=n_classes, seed=seed)
    for mode in (model.train(), model.eval()):
        logits = mode(_images(2))
        assert logits.shape == (2, n_classes)
        assert torch.isfinite(logits).all()
    assert model.embed(_images(2)).shape == (2, model.fc2.in_features)


def _real_shapes(model: SimpleCNN) -> dict[str, tuple[int, ...]]:
    """Output shapes that show while an image passes, by the names that `describe` uses."""
    shapes: dict[str, tuple[int, ...]] = {"input": (1, 28, 28)}
    for name, layer in model.named_children():
        layer.register_forward_hook(
            lambda _, __, out, name=name: shapes.update({name: tuple(out.shape[1:])})
        )
    first = model.fc1 if model.config.hidden else model.fc2
    before = first.register_forward_pre_hook(
        lambda _, inputs: shapes.update({"flat": tuple(inputs[0].shape[1:])})
    )
    model.eval()(_images(1))
    before.remove()
    x = _images(1)
    for index in range(1, model.config.layers + 1):
        x = model.stage(index, x)
        shapes[f"pool{index}"] = tuple(x.shape[1:])
    return shapes


@settings(max_examples=30)
@given(_small_configs())
def test_the_description_has_the_shapes_that_really_occur(config: ModelConfig) -> None:
    real = _real_shapes(SimpleCNN(config))
    rows = describe(config)
    shapes = {row.name: row.output_shape for row in rows}
    # The last pooling, to `final_size`, shows in what the hidden layer is given.
    assert math.prod(_last_map(rows)) == math.prod(real["flat"])
    assert shapes == {name: real.get(name, shapes[name]) for name in shapes}
    layers = {name for name, _ in SimpleCNN(config).named_children()}
    assert {name for name in layers if name != "dropout" or config.dropout} <= set(shapes)


def _last_map(rows: tuple[LayerRow, ...]) -> tuple[int, ...]:
    return [row.output_shape for row in rows if len(row.output_shape) == 3][-1]


@settings(max_examples=30)
@given(_small_configs(), st.integers(2, 26))
def test_the_description_has_the_parameters_with_their_arithmetic(
    config: ModelConfig, n_classes: int
) -> None:
    model = SimpleCNN(config, n_classes=n_classes)
    rows = describe(config, n_classes)
    assert rows[-1].output_shape == (n_classes,)
    assert sum(row.parameters for row in rows) == count_parameters(model)
    for row in rows:
        if row.parameters:
            assert eval(row.arithmetic.replace("×", "*")) == row.parameters
            assert row.parameters == count_parameters(model.get_submodule(row.name))
        else:
            assert row.arithmetic == ""


@settings(max_examples=30)
@given(_small_configs())
def test_the_description_counts_the_multiply_accumulates_that_torch_counts(
    config: ModelConfig,
) -> None:
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        SimpleCNN(config).eval()(_images(1))
    assert 2 * sum(row.macs for row in describe(config)) == counter.get_total_flops()


def test_the_description_of_the_workshops_network_is_the_one_in_the_books() -> None:
    rows = [(r.name, r.kind, r.output_shape, r.parameters, r.macs) for r in describe(ModelConfig())]
    assert rows == [
        ("input", "input", (1, 28, 28), 0, 0),
        ("conv1", "conv", (16, 28, 28), 160, 112_896),
        ("pool1", "pool", (16, 14, 14), 0, 0),
        ("conv2", "conv", (32, 14, 14), 4_640, 903_168),
        ("pool2", "pool", (32, 7, 7), 0, 0),
        ("fc1", "fc", (128,), 200_832, 200_704),
        ("dropout", "dropout", (128,), 0, 0),
        ("fc2", "fc", (10,), 1_290, 1_280),
    ]
    arithmetic = [row.arithmetic for row in describe(ModelConfig()) if row.arithmetic]
    assert arithmetic == [
        "16 × (1 × 3 × 3 + 1)",
        "32 × (16 × 3 × 3 + 1)",
        "128 × (1568 + 1)",
        "10 × (128 + 1)",
    ]


@pytest.mark.parametrize("pooling", ["max", "avg", "stride"])
def test_maps_are_halved_while_at_least_8_wide_and_then_keep_their_size(pooling: str) -> None:
    config = ModelConfig.from_dict({"filters": [2] * 6, "pooling": pooling, "hidden": 3})
    sides: dict[str, int] = {}
    for row in describe(config):
        if len(row.output_shape) == 3:
            sides[row.name[-1]] = row.output_shape[-1]
    assert [sides[str(n)] for n in range(1, 7)] == [14, 7, 7, 7, 7, 7]


@pytest.mark.parametrize(
    ("convs_per_pool", "sides"), [(2, [28, 14, 14, 7, 7, 7]), (3, [28, 28, 14, 14, 14, 7])]
)
@pytest.mark.parametrize("pooling", ["max", "avg", "stride"])
def test_maps_are_halved_after_every_second_or_third_convolution(
    pooling: str, convs_per_pool: int, sides: list[int]
) -> None:
    config = ModelConfig.from_dict(
        {"filters": [2] * 6, "pooling": pooling, "convs_per_pool": convs_per_pool}
    )
    assert [stage.output_size for stage in stages(config)] == sides


def test_without_a_hidden_layer_the_classes_are_made_from_the_last_maps() -> None:
    config = ModelConfig(filters=(3, 4), hidden=0, final_size=1, dropout=0.5)
    model = SimpleCNN(config, seed=2).eval()
    assert [row.name for row in describe(config)][-3:] == ["pool", "dropout", "fc2"]
    assert not hasattr(model, "fc1")
    x = _images(3)
    for index in (1, 2):
        x = model.stage(index, x)
    torch.testing.assert_close(model(_images(3)), model.fc2(x.amax(dim=(2, 3))))
    assert not torch.equal(model.train()(_images(3)), model.eval()(_images(3)))


def test_without_pooling_maps_keep_their_size() -> None:
    rows = describe(ModelConfig(filters=(2, 2), pooling="none"))
    assert [row.output_shape for row in rows[:3]] == [(1, 28, 28), (2, 28, 28), (2, 28, 28)]


# -------------------------------------------------------------------------- final_size


@pytest.mark.parametrize(("final_size", "side"), [(0, 7), (1, 1), (3, 3), (7, 7), (8, 7), (28, 7)])
def test_the_last_map_is_pooled_down_to_the_final_size_if_it_is_larger(
    final_size: int, side: int
) -> None:
    config = ModelConfig(filters=(2, 5), hidden=3, final_size=final_size)
    assert SimpleCNN(config).fc1.in_features == 5 * side**2
    pools = [row.output_shape for row in describe(config) if row.name == "pool"]
    assert pools == ([(5, side, side)] if side < 7 else [])


@pytest.mark.parametrize(
    ("pooling", "amount"), [("max", "amax"), ("avg", "mean"), ("stride", "amax")]
)
def test_a_final_size_of_one_takes_one_number_of_each_map(pooling: str, amount: str) -> None:
    config = ModelConfig.from_dict(
        {"filters": [3, 4], "hidden": 5, "final_size": 1, "pooling": pooling}
    )
    model = SimpleCNN(config, seed=2)
    x = _images(3)
    for index in (1, 2):
        x = model.stage(index, x)
    numbers = getattr(x, amount)(dim=(2, 3))
    torch.testing.assert_close(model.embed(_images(3)), F.relu(model.fc1(numbers)))


# ----------------------------------------------------------------------- wrong images


@pytest.mark.parametrize("shape", [(2, 1, 29, 29), (2, 1, 14, 14), (2, 3, 28, 28), (1, 28, 28)])
def test_images_of_another_shape_are_refused_and_not_read_wrongly(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"not \[N, 1, 28, 28\]"):
        SimpleCNN()(torch.zeros(shape))


def test_no_images_give_no_logits() -> None:
    assert SimpleCNN()(torch.zeros(0, 1, 28, 28)).shape == (0, 10)


# -------------------------------------------------------------------------- ensembles


def test_an_ensemble_answers_with_the_mean_of_the_probabilities() -> None:
    configs = (ModelConfig(filters=(2,), hidden=4), ModelConfig(filters=(3, 2), hidden=0))
    members = [SimpleCNN(config, seed=seed).eval() for seed, config in enumerate(configs)]
    # Far apart, so that a mean of logits would be another answer.
    with torch.no_grad():
        members[0].fc2.bias[3] += 9
        members[1].fc2.bias[5] += 4
    together = Ensemble(members).eval()
    expected = sum(member(_images(4)).softmax(dim=1) for member in members) / 2
    torch.testing.assert_close(together(_images(4)).exp(), expected)
    torch.testing.assert_close(together(_images(4)).softmax(dim=1), expected)
    assert count_parameters(together) == sum(map(count_parameters, members))


def test_the_inside_of_an_ensemble_is_that_of_its_first_member() -> None:
    members = [SimpleCNN(ModelConfig(filters=(2,), hidden=4), seed=k).eval() for k in (4, 5)]
    together = copy.deepcopy(Ensemble(members).eval())
    assert together.config == members[0].config
    assert torch.equal(together.embed(_images(2)), members[0].embed(_images(2)))


def test_an_ensemble_of_one_is_that_network() -> None:
    member = SimpleCNN(ModelConfig(filters=(2,), hidden=4)).eval()
    expected = member(_images(3)).softmax(dim=1)
    torch.testing.assert_close(Ensemble([member]).eval()(_images(3)).exp(), expected)


# ---------------------------------------------------------------------------- dropout


def _dropout(p: float, seed: int = 0) -> SeededDropout:
    dropout = SeededDropout(p).train()
    dropout.generator = torch.Generator().manual_seed(seed)
    return dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.9])
def test_dropout_switches_off_a_fraction_and_keeps_the_mean(p: float) -> None:
    n = 200_000
    out = _dropout(p)(torch.ones(n))
    sigma = math.sqrt(p * (1 - p) / n)
    assert (out == 0).float().mean().item() == pytest.approx(p, abs=5 * sigma)
    assert out.mean().item() == pytest.approx(1, abs=5 * sigma / (1 - p))
    torch.testing.assert_close(out[out != 0].unique(), torch.tensor([1 / (1 - p)]))


def test_dropout_in_bfloat16_scales_without_bias() -> None:
    x = torch.linspace(1, 2, 100_000).bfloat16()
    out = _dropout(0.25)(x)
    assert out.dtype == torch.bfloat16
    kept = out != 0
    ratio = (out[kept].double() / x[kept].double()).mean().item()
    assert ratio == pytest.approx(4 / 3, abs=1e-4)


def test_dropout_is_off_in_evaluation() -> None:
    x = torch.randn(100)
    assert torch.equal(_dropout(0.5).eval()(x), x)


def test_dropout_of_zero_does_nothing_and_draws_nothing() -> None:
    dropout = _dropout(0.0)
    assert dropout.generator is not None
    before = dropout.generator.get_state()
    assert torch.equal(dropout(torch.ones(50)), torch.ones(50))
    assert torch.equal(dropout.generator.get_state(), before)


def test_dropout_repeats_itself_from_the_same_state_of_its_generator() -> None:
    x = torch.ones(1000)
    first, again, other = (_dropout(0.5, seed)(x) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    running = _dropout(0.5, 1)
    steps = [running(x) for _ in range(3)]
    assert all(not torch.equal(one, next_) for one, next_ in pairwise(steps))


def test_dropout_passes_gradients_to_the_units_that_are_on() -> None:
    x = torch.ones(1000, requires_grad=True)
    out = _dropout(0.5)(x)
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, out.detach())


def test_the_network_drops_hidden_units_in_training_only() -> None:
    model = SimpleCNN(ModelConfig(filters=(2,), hidden=50, dropout=0.5))
    images = _images(1).expand(64, -1, -1, -1)
    assert model.eval()(images).std(dim=0).max() < 1e-6
    assert model.train()(images).std(dim=0).min() > 1e-3
