from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from taller_cnn.checkpoints import LoadedModel, load_model
from taller_cnn.config import ModelConfig
from taller_cnn.errors import ModelError
from taller_cnn.files import sha256
from taller_cnn.lab import shelf as shelf_module
from taller_cnn.lab.problems import ConflictError, FieldError, NotFoundError
from taller_cnn.lab.shelf import Shelf, ShelfModel, read_model
from taller_cnn.model import SimpleCNN, count_parameters


@pytest.fixture
def shelf(tmp_path: Path, save_small) -> Shelf:
    save_small(tmp_path / "cnn_mnist.pt")
    save_small(tmp_path / "lab" / "old" / "cnn_mnist.pt", seed=1)
    save_small(tmp_path / "lab" / "new" / "cnn_mnist.pt", seed=2)
    os.utime(tmp_path / "lab" / "old" / "cnn_mnist.pt", (1, 1))
    return Shelf(tmp_path)


def test_the_workshops_model_comes_first_then_kept_ones_newest_first(shelf: Shelf) -> None:
    assert shelf.ids() == ["main", "new", "old"]
    assert shelf.default == "main"


def test_an_empty_folder_has_no_models(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    assert (shelf.ids(), shelf.default) == ([], None)
    with pytest.raises(ConflictError, match="taller-cnn train"):
        shelf.get()


def test_the_card_says_what_the_network_is_and_costs(shelf: Shelf) -> None:
    card = shelf.get("old").card
    assert (card.id, card.kind, card.seed) == ("old", "kept", 1)
    assert card.parameters == count_parameters(SimpleCNN(ModelConfig(filters=(4,), hidden=16)))
    assert sum(layer.parameters for layer in card.layers) == card.parameters
    assert [layer.name for layer in card.layers] == [
        "input", "conv1", "pool1", "fc1", "dropout", "fc2",
    ]  # fmt: skip
    stage = card.stages[0]
    assert (stage.inputs, stage.outputs, stage.stride) == (1, 4, 1)
    assert (stage.size, stage.pooled, stage.final_size) == (28, True, 14)


def test_the_card_travels_in_the_weights(shelf: Shelf) -> None:
    model = shelf.get("main")
    length = int.from_bytes(model.safetensors[:8], "little")
    header = json.loads(model.safetensors[8 : 8 + length])
    assert json.loads(header["__metadata__"]["card"]) == model.card.model_dump(mode="json")


def test_a_model_trained_again_is_read_again(shelf: Shelf, tmp_path: Path, save_small) -> None:
    before = shelf.get("main")
    assert shelf.get("main") is before
    save_small(tmp_path / "cnn_mnist.pt", seed=9)
    after = shelf.get("main")
    assert after.card.sha256 != before.card.sha256
    assert after.card.seed == 9


def test_who_asks_while_a_model_is_read_waits_for_it(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []

    def slow(name: str, path: Path) -> ShelfModel:
        reads.append(name)
        time.sleep(0.2)
        return read_model(name, path)

    monkeypatch.setattr(shelf_module, "read_model", slow)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(shelf.get, ["main"] * 8))
    assert reads == ["main"]
    assert all(model is found[0] for model in found)


def test_the_checksum_is_that_of_the_weights_even_if_the_file_changes_meanwhile(
    shelf: Shelf, tmp_path: Path, save_small, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cnn_mnist.pt"
    before = path.read_bytes()

    def replaced_after_loading(path: Path, **options: Any) -> LoadedModel:
        loaded = load_model(path, **options)
        save_small(path, seed=9)
        return loaded

    with monkeypatch.context() as patch:
        patch.setattr(shelf_module, "load_model", replaced_after_loading)
        model = shelf.get("main")
    assert (model.card.sha256, model.card.seed) == (sha256(before), 0)
    assert shelf.get("main").card.seed == 9


@pytest.mark.parametrize(
    "model_id", ["..", "../lab/old", "lab", "/etc/passwd", "", "nothing", "\0"]
)
def test_only_ids_lead_to_a_file(shelf: Shelf, model_id: str) -> None:
    with pytest.raises(NotFoundError):
        shelf.get(model_id)


def test_a_damaged_model_is_told_and_the_others_still_work(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "lab" / "new" / "cnn_mnist.pt").write_bytes(b"PK\x03\x04 and then nothing")
    good, bad = shelf.readable()
    assert [model.card.id for model in good] == ["main", "old"]
    assert bad[0][0] == "new"
    assert isinstance(bad[0][1], ModelError)


def test_a_pickle_is_not_opened(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "lab" / "new" / "cnn_mnist.pt").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ModelError, match="can be read safely"):
        shelf.get("new")


def test_a_kept_model_moves_in_and_becomes_the_default(
    shelf: Shelf, tmp_path: Path, save_small
) -> None:
    folder = tmp_path / "lab" / ".runs" / "1"
    save_small(folder / "cnn_mnist.pt", seed=5)
    assert shelf.keep(folder, "mine").card.seed == 5
    assert not folder.exists()
    assert shelf.default == "mine"
    assert sorted(p.name for p in (tmp_path / "lab" / "mine").iterdir()) == [
        "cnn_mnist.json",
        "cnn_mnist.pt",
    ]


def test_no_model_is_kept_over_another(shelf: Shelf, tmp_path: Path, save_small) -> None:
    folder = tmp_path / "lab" / ".runs" / "1"
    save_small(folder / "cnn_mnist.pt", seed=5)
    with pytest.raises(ConflictError):
        shelf.keep(folder, "old")
    with pytest.raises(FieldError) as refused:
        shelf.keep(folder, "../main")
    assert refused.value.pointer == "/name"
    assert shelf.get("old").card.seed == 1
    assert folder.exists()


def test_weights_without_a_description_are_the_lessons_network(tmp_path: Path) -> None:
    torch.save(SimpleCNN().state_dict(), tmp_path / "cnn_mnist.pt")
    card = Shelf(tmp_path).get("main").card
    assert (card.mean, card.std) == (0.1307, 0.3081)
    assert (card.recipe, card.test, card.created) == (None, None, None)
