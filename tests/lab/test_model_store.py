from __future__ import annotations

import asyncio
import gc
import json
import os
import pickle
import shutil
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from taller_cnn.checkpoints import LoadedModel, load_model
from taller_cnn.config import ModelConfig
from taller_cnn.errors import ModelError
from taller_cnn.files import sha256
from taller_cnn.lab import model_store
from taller_cnn.lab.model_store import ModelStore, StoredModel, read_model
from taller_cnn.model import SimpleCNN, count_parameters


@pytest.fixture
def store(tmp_path: Path, save_small) -> ModelStore:
    save_small(tmp_path / "cnn_mnist.pt")
    save_small(tmp_path / "lab" / "old" / "cnn_mnist.pt", seed=1)
    save_small(tmp_path / "lab" / "new" / "cnn_mnist.pt", seed=2)
    os.utime(tmp_path / "lab" / "old" / "cnn_mnist.pt", (1, 1))
    return ModelStore(tmp_path)


def test_the_workshops_model_comes_first_then_kept_ones_newest_first(store: ModelStore) -> None:
    assert store.ids() == ["main", "new", "old"]
    assert store.default == "main"


def test_an_empty_folder_has_no_models(refused, tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    assert (store.ids(), store.default) == ([], None)
    with refused(409, "taller-cnn train"):
        store.get()


def test_the_card_says_what_the_network_is_and_costs(store: ModelStore) -> None:
    card = store.get("old").card
    assert (card.id, card.kind, card.seed) == ("old", "kept", 1)
    assert card.parameters == count_parameters(SimpleCNN(ModelConfig(filters=(4,), hidden=16)))
    assert sum(layer.parameters for layer in card.layers) == card.parameters
    assert [layer.name for layer in card.layers] == [
        "input", "conv1", "pool1", "fc1", "dropout", "fc2",
    ]  # fmt: skip
    stage = card.stages[0]
    assert (stage.inputs, stage.outputs, stage.stride) == (1, 4, 1)
    assert (stage.size, stage.pooled, stage.output_size) == (28, True, 14)


def test_the_card_travels_in_the_weights(store: ModelStore) -> None:
    model = store.get("main")
    length = int.from_bytes(model.safetensors[:8], "little")
    header = json.loads(model.safetensors[8 : 8 + length])
    assert json.loads(header["__metadata__"]["card"]) == model.card.model_dump(mode="json")


def test_a_model_trained_again_is_read_again(store: ModelStore, tmp_path: Path, save_small) -> None:
    before = store.get("main")
    assert store.get("main") is before
    save_small(tmp_path / "cnn_mnist.pt", seed=9)
    after = store.get("main")
    assert after.card.sha256 != before.card.sha256
    assert after.card.seed == 9


def test_who_asks_while_a_model_is_read_waits_for_it(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    def slow(name: str, *how: Any) -> StoredModel:
        reads.append(name)
        time.sleep(0.2)
        return read_model(name, *how)

    monkeypatch.setattr(model_store, "read_model", slow)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(store.get, ["main"] * 8))
    assert reads == ["main"]
    assert all(model is found[0] for model in found)


def test_the_checksum_is_that_of_the_weights_even_if_the_file_changes_meanwhile(
    store: ModelStore, tmp_path: Path, save_small, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cnn_mnist.pt"
    before = path.read_bytes()

    def replaced_after_loading(path: Path, *how: Any) -> LoadedModel:
        loaded = load_model(path, *how)
        save_small(path, seed=9)
        return loaded

    with monkeypatch.context() as patch:
        patch.setattr(model_store, "load_model", replaced_after_loading)
        model = store.get("main")
    assert (model.card.sha256, model.card.seed) == (sha256(before), 0)
    assert store.get("main").card.seed == 9


@pytest.mark.parametrize(
    "model_id", ["..", "../lab/old", "lab", "/etc/passwd", "", "nothing", "\0"]
)
def test_only_ids_lead_to_a_file(refused, store: ModelStore, model_id: str) -> None:
    with refused(404):
        store.get(model_id)


def test_a_damaged_model_is_told_and_the_others_still_work(
    store: ModelStore, tmp_path: Path
) -> None:
    (tmp_path / "lab" / "new" / "cnn_mnist.pt").write_bytes(b"PK\x03\x04 and then nothing")
    good, bad = store.readable()
    assert [model.card.id for model in good] == ["main", "old"]
    assert bad[0][0] == "new"
    assert isinstance(bad[0][1], ModelError)


def test_a_pickle_is_not_opened(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "lab" / "new" / "cnn_mnist.pt").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ModelError, match="can be read safely"):
        store.get("new")


def test_a_kept_model_moves_in_and_becomes_the_default(
    store: ModelStore, tmp_path: Path, save_small
) -> None:
    folder = tmp_path / "lab" / ".runs" / "1"
    save_small(folder / "cnn_mnist.pt", seed=5)
    assert store.keep(folder, "mine").card.seed == 5
    assert not folder.exists()
    assert store.default == "mine"
    assert sorted(p.name for p in (tmp_path / "lab" / "mine").iterdir()) == [
        "cnn_mnist.json",
        "cnn_mnist.pt",
    ]


def test_no_model_is_kept_over_another(
    refused, store: ModelStore, tmp_path: Path, save_small
) -> None:
    folder = tmp_path / "lab" / ".runs" / "1"
    save_small(folder / "cnn_mnist.pt", seed=5)
    with refused(409):
        store.keep(folder, "old")
    with refused(422) as caught:
        store.keep(folder, "../main")
    assert caught.value.pointer == "/name"
    assert store.get("old").card.seed == 1
    assert folder.exists()


def test_weights_without_a_description_are_the_lessons_network(tmp_path: Path) -> None:
    torch.save(SimpleCNN().state_dict(), tmp_path / "cnn_mnist.pt")
    card = ModelStore(tmp_path).get("main").card
    assert (card.mean, card.std) == (0.1307, 0.3081)
    assert (card.recipe, card.test, card.created) == (None, None, None)


def test_a_model_whose_file_is_gone_is_forgotten(store: ModelStore, tmp_path: Path) -> None:
    gone = weakref.ref(store.get("old"))
    shutil.rmtree(tmp_path / "lab" / "old")
    assert [model.card.id for model in store.readable()[0]] == ["main", "new"]
    gc.collect()
    assert gone() is None


def test_models_beyond_the_limit_are_forgotten_and_read_again(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_store, "MOST_BYTES", 2.5 * store.get("main").card.bytes)
    first = weakref.ref(store.get("main"))
    for name in ("old", "new"):
        store.get(name)
    gc.collect()
    assert first() is None
    assert store.get("main").card.id == "main"


def test_a_prediction_does_without_the_disk_for_a_moment_only(
    store: ModelStore, tmp_path: Path, save_small, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> list[int | None]:
        seeds = [(await store.recent()).card.seed]
        save_small(tmp_path / "cnn_mnist.pt", seed=9)
        seeds.append((await store.recent("main")).card.seed)
        seeds.append((await store.recent()).card.seed)
        monkeypatch.setattr(model_store, "RECENT_SECONDS", 0)
        seeds.append((await store.recent()).card.seed)
        return seeds

    assert asyncio.run(ask()) == [0, 9, 0, 9]


# ----------------------------------------------- ensembles, other data sets, files from elsewhere

FASHION = {"dataset": "fashion-mnist", "class_names": tuple(f"garment {i}" for i in range(10))}


@pytest.fixture
def full_store(store: ModelStore, tmp_path: Path, save_small) -> ModelStore:
    """The store with an ensemble of two and a network of another data set in its folder."""
    for seed in (1, 2):
        save_small(tmp_path / "ensemble_mnist" / f"seed{seed}.pt", seed=seed)
    save_small(tmp_path / "cnn_fashion-mnist.pt", **FASHION)
    # What is no network of its own.
    for name in ("cnn_fashion-mnist.checkpoint.pt", "cnn_mnist.previous.pt"):
        (tmp_path / name).write_bytes(b"")
    return store


def test_networks_of_other_data_sets_and_ensembles_are_there(full_store: ModelStore) -> None:
    assert full_store.ids() == [
        "main", "new", "old", "cnn_fashion-mnist",
        "ensemble_mnist", "ensemble_mnist.seed1", "ensemble_mnist.seed2",
    ]  # fmt: skip
    good, bad = full_store.readable()
    kinds = [model.card.kind for model in good]
    assert kinds == ["main", "kept", "kept", "folder", "folder", "member", "member"]
    assert bad == []
    card = full_store.get("cnn_fashion-mnist").card
    assert (card.dataset, card.class_names[3]) == ("fashion-mnist", "garment 3")


def test_an_ensemble_answers_as_one_and_its_members_alone(full_store: ModelStore) -> None:
    ensemble = full_store.get("ensemble_mnist")
    members = [full_store.get(name) for name in ensemble.card.members]
    assert [member.card.seed for member in members] == [1, 2]
    assert ensemble.card.parameters == sum(member.card.parameters for member in members)
    assert ensemble.safetensors is None
    assert all(member.safetensors for member in members)


def test_an_ensemble_trained_further_is_read_again(
    full_store: ModelStore, tmp_path: Path, save_small
) -> None:
    before = full_store.get("ensemble_mnist")
    save_small(tmp_path / "ensemble_mnist" / "seed3.pt", seed=3)
    after = full_store.get("ensemble_mnist")
    assert len(after.card.members) == len(before.card.members) + 1
    assert after.card.sha256 != before.card.sha256


@pytest.mark.parametrize(
    "model_id", ["ensemble_mnist.seed9", "ensemble_mnist..", "..seed1", "new.cnn_mnist", "a.b.c"]
)
def test_only_members_of_ensembles_have_an_id(refused, full_store: ModelStore, model_id) -> None:
    with refused(404):
        full_store.get(model_id)


def test_no_kept_model_hides_one_of_the_folder(refused, full_store: ModelStore, tmp_path) -> None:
    with refused(409):
        full_store.rename("old", "cnn_fashion-mnist")
    with refused(409):
        full_store.rename("old", "new")
    with refused(422):
        full_store.rename("old", "opened")


def test_a_kept_model_is_renamed_and_deleted_and_no_other(
    refused, full_store: ModelStore, tmp_path: Path
) -> None:
    assert full_store.rename("old", "mine").card.id == "mine"
    with refused(404):
        full_store.get("old")
    full_store.remove("mine")
    assert not (tmp_path / "lab" / "mine").exists()
    for name in ("main", "cnn_fashion-mnist", "ensemble_mnist", "ensemble_mnist.seed1"):
        with refused(409):
            full_store.remove(name)
        with refused(409):
            full_store.rename(name, "other")
    with refused(404):
        full_store.remove("../lab/new")
    assert full_store.ids()[:2] == ["main", "new"]


def test_a_network_elsewhere_is_the_one_to_begin_with(tmp_path: Path, save_small) -> None:
    save_small(tmp_path / "modelo" / "cnn_mnist.pt")
    save_small(tmp_path / "mine.pt", seed=4)
    store = ModelStore(tmp_path / "modelo", opened=tmp_path / "mine.pt")
    assert (store.default, store.ids()) == ("opened", ["opened", "main"])
    card = store.get().card
    assert (card.id, card.kind, card.seed) == ("opened", "opened", 4)


def state_of(model: StoredModel) -> dict[str, torch.Tensor]:
    return dict(model.loaded.model.state_dict())


def test_a_file_of_weights_is_taken_in_with_its_description(store: ModelStore, tmp_path) -> None:
    path = tmp_path / "lab" / "old" / "cnn_mnist.pt"
    text = path.with_suffix(".json").read_text(encoding="utf-8")
    taken = store.take_in(path.read_bytes(), text, "again")
    assert (taken.card.seed, taken.card.created) == (1, store.get("old").card.created)
    assert not any((tmp_path / "lab" / ".opening").iterdir())


@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_pages_own_safetensors_are_taken_in(
    store: ModelStore, tmp_path: Path, save_small, batch_norm: bool
) -> None:
    config = ModelConfig(filters=(4, 6), hidden=16, batch_norm=batch_norm)
    save_small(tmp_path / "cnn_fashion-mnist.pt", config=config, **FASHION)
    given = store.get("cnn_fashion-mnist")
    taken = store.take_in(given.safetensors or b"", "", "again")
    assert taken.card.class_names == given.card.class_names
    assert (taken.card.dataset, taken.card.mean) == ("fashion-mnist", given.card.mean)
    images = torch.randn(3, 1, 28, 28)
    answers = [model.loaded.model(images) for model in (given, taken)]
    torch.testing.assert_close(*answers)


def test_safetensors_without_a_card_are_the_lessons_network(store: ModelStore) -> None:
    from safetensors.torch import save

    network = SimpleCNN(seed=3)
    taken = store.take_in(save(network.state_dict()), "", "lesson")
    assert all(map(torch.equal, state_of(taken).values(), network.state_dict().values()))


def bytes_of(kind: str) -> bytes:
    from safetensors.torch import save

    damaged = save({"conv1.weight": torch.zeros(2, 2)}, metadata={"card": '{"config": {}}'})
    return {
        "pickle": b"cos\nsystem\n(S'true'\ntR.",
        "network": pickle.dumps(SimpleCNN()),
        "nothing": b"",
        "text": b"hello",
        "safetensors": damaged,
        "cut": damaged[:20],
        "other": save({"a": torch.zeros(2)}),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["pickle", "network", "nothing", "text", "safetensors", "cut", "other"]
)
def test_a_file_that_is_no_network_is_refused_and_leaves_nothing(
    store: ModelStore, tmp_path: Path, kind: str
) -> None:
    with pytest.raises(ModelError):
        store.take_in(bytes_of(kind), "", "mine")
    assert store.ids() == ["main", "new", "old"]
    assert not any((tmp_path / "lab" / ".opening").iterdir())


def test_a_pupils_network_is_not_what_others_begin_with(
    store: ModelStore, tmp_path: Path, save_small
) -> None:
    folder = tmp_path / "lab" / ".runs" / "1"
    save_small(folder / "cnn_mnist.pt", seed=5)
    store.keep(folder, "mine", as_default=False)
    assert store.default == "main"
