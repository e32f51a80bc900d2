from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from taller_cnn.calibration import Threshold
from taller_cnn.data import Digits
from taller_cnn.lab.lab import Lab
from taller_cnn.reader import threshold


def picture_of(*images: np.ndarray) -> bytes:
    """A page of dark digits on white."""
    page = np.full((140, 120 * len(images) + 20), 255, dtype=np.uint8)
    for i, image in enumerate(images):
        large = image.repeat(4, axis=0).repeat(4, axis=1)
        page[14:126, 20 + 120 * i : 132 + 120 * i] -= large
    buffer = io.BytesIO()
    Image.fromarray(page).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def digits(tiny_digits: Digits) -> np.ndarray:
    return tiny_digits.test.images[:2, 0].numpy()


def test_each_digit_in_a_picture_is_found_and_read(client, digits: np.ndarray) -> None:
    answer = client.post(
        "/api/readings", content=picture_of(*digits), headers={"Content-Type": "image/png"}
    )
    assert answer.status_code == 200
    found = answer.json()
    assert (found["width"], found["height"]) == (260, 140)
    assert len(found["digits"]) == 2
    assert found["text"].replace(" ", "") == "".join(str(d["digit"]) for d in found["digits"])
    left, right = found["digits"]
    assert left["box"]["x"] < right["box"]["x"]
    for digit, image in zip(found["digits"], digits, strict=True):
        box = digit["box"]
        assert 0 < box["width"] <= 120
        assert 0 < box["height"] <= 140
        seen = np.frombuffer(base64.b64decode(digit["image"]), np.uint8).reshape(28, 28)
        # What MNIST's own preparation makes of an MNIST digit is much the same digit.
        assert np.corrcoef(seen.ravel(), image.ravel())[0, 1] > 0.7
        assert 0 <= digit["probability"] <= 1
        assert digit["second"] != digit["digit"]


def test_a_blank_picture_has_no_digits(client) -> None:
    buffer = io.BytesIO()
    Image.new("L", (50, 50), 255).save(buffer, "PNG")
    found = client.post("/api/readings", content=buffer.getvalue()).json()
    assert (found["text"], found["digits"]) == ("", [])


def test_how_many_pages_a_file_has_is_told(client, digits: np.ndarray) -> None:
    pages = [Image.open(io.BytesIO(picture_of(digit))) for digit in digits]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    found = client.post("/api/readings", content=buffer.getvalue()).json()
    assert (found["pages"], len(found["digits"])) == (2, 1)


def test_further_pages_of_a_file_are_read(client, digits: np.ndarray, problem: Any) -> None:
    pages = [Image.open(io.BytesIO(picture_of(*some))) for some in (digits[:1], digits)]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    found = client.post("/api/readings?page=2", content=buffer.getvalue()).json()
    assert (found["page"], found["pages"], len(found["digits"])) == (2, 2, 2)
    answer = client.post("/api/readings?page=3", content=buffer.getvalue())
    assert "2 pages" in problem(answer, 404, "lab_no_such_page")["detail"]


def test_the_picture_that_was_read_comes_back_if_it_is_asked_for(client, digits) -> None:
    data = picture_of(*digits)
    found = client.post("/api/readings?preview=true", content=data).json()
    kind, _, coded = found["preview"].partition(",")
    shown = Image.open(io.BytesIO(base64.b64decode(coded)))
    assert (kind, shown.size) == ("data:image/jpeg;base64", (260, 140))
    assert client.post("/api/readings", content=data).json()["preview"] is None


def test_which_network_reads_and_when_it_is_to_be_believed(
    own_lab: Lab, client_of, save_small, digits: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_small(own_lab.models.folder / "cnn_mnist.pt")
    asking, data = client_of(own_lab), picture_of(*digits)
    asked: list[Path] = []

    def chosen(path: Path, *_: Any) -> Threshold:
        asked.append(path)
        return Threshold(threshold=0.99, precision=0.99, coverage=0.5, n=100)

    monkeypatch.setattr(threshold, "ensure_threshold", chosen)
    for _ in range(2):
        found = asking.post("/api/readings", content=data).json()
        while found["choosing"]:
            # Pictures are read meanwhile, and none is called uncertain.
            assert not any(digit["uncertain"] for digit in found["digits"])
            found = asking.post("/api/readings", content=data).json()
        assert (found["model"], found["threshold"]) == ("main", 0.99)
        # Weights that were drawn and not learned are never sure.
        assert [digit["uncertain"] for digit in found["digits"]] == [True, True]
    # Looked for once.
    assert asked == [own_lab.models.folder / "cnn_mnist.pt"]


def test_a_threshold_that_cannot_be_known_keeps_nothing_from_being_read(
    client, digits: np.ndarray
) -> None:
    # Nobody knows what the network of this lab was trained on.
    found = client.post("/api/readings", content=picture_of(*digits)).json()
    assert found["threshold"] is None
    assert not any(digit["uncertain"] for digit in found["digits"])


def test_a_broken_robust_network_leaves_the_reading_to_the_main_one(
    own_lab: Lab, client_of, save_small, digits: np.ndarray
) -> None:
    save_small(own_lab.models.folder / "cnn_mnist.pt")
    (own_lab.models.folder / "cnn_mnist.robust.pt").write_bytes(b"PK\x03\x04 and then nothing")
    asking = client_of(own_lab)
    answer = asking.post("/api/readings", content=picture_of(*digits))
    assert answer.status_code == 200
    assert len(answer.json()["digits"]) == 2
    # It is not hushed up.
    unreadable = asking.get("/api/models").json()["unreadable"]
    assert [model["id"] for model in unreadable] == ["robust"]


def test_what_is_no_picture_is_told(client, problem: Any) -> None:
    problem(client.post("/api/readings", content=b"hello"), 415, "lab_picture_kind")
    told = problem(client.post("/api/readings"), 422, "lab_picture")
    assert told["errors"][0]["field"] == "/"


def test_a_wrong_query_is_named(client, problem: Any) -> None:
    told = problem(client.post("/api/readings?single=perhaps", content=b"x"), 422, "lab_field")
    assert told["errors"][0]["field"] == "?single"
