from __future__ import annotations

import asyncio
import gc
import json
import os
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
