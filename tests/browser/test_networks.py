"""The networks of a lab: which ones there are, and who may change them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from taller_cnn.checkpoints import load_model, save_model
from taller_cnn.model import SimpleCNN

CHOOSER = "#model-choice"


@pytest.fixture
def own_folder(lab_folder: Path, tmp_path: Path) -> Path:
    """A copy of the lab's folder, that a test may change, without what other tests have kept."""
    folder = tmp_path / "own"
    shutil.copytree(lab_folder, folder)
    for kept in (folder / "modelo" / "lab").iterdir():
        if kept.name != "small":
            shutil.rmtree(kept)
    return folder


def save_like_main(folder: Path, path: Path, *, seed: int = 0, **changes: Any) -> None:
    """A network with the workshop's description, whose weights are drawn from a seed."""
    import dataclasses

    info = load_model(folder / "modelo" / "cnn_mnist.pt").info
    assert info
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(SimpleCNN(info.model, seed=seed), path, dataclasses.replace(info, **changes))


@pytest.fixture
def own_lab(own_folder: Path, run_lab: Any) -> Iterator[Any]:
    """A lab with an ensemble and a network of other pictures beside its two."""
    models = own_folder / "modelo"
    for seed in (1, 2):
        save_like_main(own_folder, models / "ensemble_mnist" / f"seed{seed}.pt", seed=seed)
    garments = tuple(f"prenda {i}" for i in range(10))
    save_like_main(
        own_folder, models / "cnn_fashion.pt", dataset="fashion-mnist", class_names=garments
    )
    with run_lab(own_folder) as opened:
        yield opened


def test_all_networks_of_the_folder_can_be_looked_into(open_page: Any, own_lab: Any) -> None:
    page = open_page(own_lab.address)
    options = page.locator(f"{CHOOSER} option:not([hidden])").all_inner_texts()
    assert options == [
        "La del taller", "small", "cnn_fashion", "seed1 de ensemble_mnist",
        "seed2 de ensemble_mnist",
    ]  # fmt: skip
    page.select_option(CHOOSER, "ensemble_mnist.seed2")
    page.wait_for_function("() => session.card.id === 'ensemble_mnist.seed2'")


def test_classes_and_real_pictures_are_those_of_the_network(open_page: Any, own_lab: Any) -> None:
    page = open_page(own_lab.address)
    open_page.problems.clear()
    page.select_option(CHOOSER, "cnn_fashion")
    page.wait_for_function("() => session.card.id === 'cnn_fashion'")
    page.wait_for_selector(".page-notice:not([hidden])")
    assert page.locator(".dock .bar b").first.inner_text() == "prenda 0"
    # There are no garments here: better none on the shelf than digits under their names.
    assert "Fashion" in page.locator(".page-notice").inner_text()
    assert page.locator(".thumb").count() == 0
    # The refusal is in the console as well.
    assert all("409" in problem for problem in open_page.problems)
    open_page.problems.clear()


def test_an_ensemble_is_compared_as_one(open_page: Any, own_lab: Any) -> None:
    page = open_page(own_lab.address)
    page.get_by_role("button", name="Un dígito de MNIST").click()
    page.get_by_role("tab", name="Compara").click()
    page.get_by_label("ensemble_mnist", exact=True).check()
    card = page.locator("[data-model='ensemble_mnist']")
    card.locator(".bar.top").wait_for()
    shown = [
        page.evaluate(
            """async (ids) => {
                const { fetchModel } = await import("/static/api.js");
                const { buildNetwork, forward, normalise } = await import("/static/network.js");
                const all = [];
                for (const id of ids) {
                    const { card, tensors } = await fetchModel(id);
                    const layers = buildNetwork(card.config, tensors);
                    all.push([...forward(layers, normalise(session.pixels, card)).at(-1)]);
                }
                return all[0].map((_, k) => all.reduce((sum, row) => sum + row[k], 0) / all.length);
            }""",
            ["ensemble_mnist.seed1", "ensemble_mnist.seed2"],
        )
    ][0]
    top = max(range(10), key=lambda k: shown[k])
    assert card.locator(".bar.top b").inner_text() == str(top)


def test_networks_are_measured_on_the_same_images(open_page: Any, lab: Any) -> None:
    page = open_page(lab.address)
    page.get_by_role("tab", name="Compara").click()
    page.get_by_role("button", name="Medirlas").click()
    rows = page.locator(".scores-table").first.locator("tbody tr")
    page.locator(".scores-table tr[data-model='small']").wait_for()
    # Whichever there are, they are named, and the same for all.
    (named,) = {row.locator("td").first.inner_text() for row in rows.all()}
    assert named.startswith("mnist, ")
    matrix = page.locator(".scores-table").nth(1)
    assert matrix.locator("tbody tr").count() == 10
    counts = [int(cell) for cell in matrix.locator(".confusion").all_inner_texts()]
    assert named.endswith({1000: ": 1.000", 10_000: ": 10.000"}[sum(counts)])


def test_a_network_is_opened_renamed_and_deleted(
    open_page: Any, own_lab: Any, own_folder: Path, tmp_path: Path
) -> None:
    save_like_main(own_folder, tmp_path / "Mi Red.pt", seed=3)
    page = open_page(own_lab.address)
    page.get_by_text("Redes…").click()
    page.get_by_label("Abre una red").set_input_files(
        [tmp_path / "Mi Red.pt", tmp_path / "Mi Red.json"]
    )
    page.wait_for_function("() => session.card.id === 'mi-red'")
    page.on("dialog", lambda dialog: dialog.accept("otra" if dialog.type == "prompt" else None))
    page.get_by_text("Redes…").click()
    page.get_by_role("button", name="Renombrar").click()
    page.wait_for_function("() => session.card.id === 'otra'")
    page.get_by_text("Redes…").click()
    page.get_by_role("button", name="Borrar la red").click()
    page.wait_for_function("() => session.card.id === 'main'")
    assert not (own_folder / "modelo" / "lab" / "otra").exists()
    # The workshop's own network is not the page's to delete.
    page.get_by_text("Redes…").click()
    assert page.get_by_role("button", name="Borrar la red").is_hidden()


def test_a_network_whose_file_is_another_one_is_told(
    open_page: Any, own_lab: Any, own_folder: Path
) -> None:
    page = open_page(own_lab.address)
    page.select_option(CHOOSER, "main")
    page.wait_for_function("() => session.card.id === 'main'")
    before = page.evaluate("session.card.sha256")
    page.evaluate("dispatchEvent(new Event('focus'))")
    assert page.locator(".page-notice").is_hidden()
    save_like_main(own_folder, own_folder / "modelo" / "cnn_mnist.pt", seed=8)
    page.evaluate("dispatchEvent(new Event('focus'))")
    page.get_by_role("button", name="Cargarlo").click()
    page.wait_for_function("(before) => session.card.sha256 !== before", arg=before)
    assert page.locator(".page-notice").is_hidden()


def test_a_pupil_watches_and_a_teacher_decides(
    open_page: Any, own_folder: Path, run_lab: Any
) -> None:
    with run_lab(own_folder, 0, "--host", "0.0.0.0") as opened:
        key = opened.class_address.partition("?token=")[2]
        teacher = open_page(opened.address)
        assert key in teacher.locator(".class-key").inner_text()
        ana, luis = open_page(opened.class_address), open_page(opened.class_address)
        for pupil in (ana, luis):
            assert pupil.locator(".class-key").is_hidden()
            assert pupil.get_by_text("Redes…").is_hidden()
            pupil.get_by_role("tab", name="Entrena", exact=True).click()
        ana.locator("#train-epochs").fill("50")
        ana.get_by_role("button", name="Entrenar", exact=True).click()
        ana.get_by_role("button", name="Parar").wait_for()
        luis.reload()
        luis.wait_for_selector("html[data-ready]")
        luis.get_by_role("tab", name="Entrena", exact=True).click()
        luis.get_by_text("lo empezó otra persona").wait_for()
        assert luis.get_by_role("button", name="Parar").is_hidden()
        teacher.reload()
        teacher.wait_for_selector("html[data-ready]")
        teacher.get_by_role("tab", name="Entrena", exact=True).click()
        teacher.get_by_role("button", name="Parar").click()
        ana.get_by_role("button", name="Guardar", exact=True).wait_for()
        assert luis.get_by_role("button", name="Guardar", exact=True).is_hidden()
    # Browsers ignore that header where nothing is encrypted, and say so.
    assert all("Cross-Origin-Opener-Policy" in problem for problem in open_page.problems)
    open_page.problems.clear()


def test_whoever_has_no_key_is_asked_for_it(browser: Any, own_folder: Path, run_lab: Any) -> None:
    with run_lab(own_folder, 0, "--host", "0.0.0.0") as opened:
        address, _, key = opened.class_address.partition("?token=")
        page = browser.new_context(locale="es-ES").new_page()
        page.goto(address)
        page.get_by_label("La clave de la clase").fill("abcd-2345")
        page.get_by_role("button", name="Entrar").click()
        page.get_by_text("Esa no es la clave").wait_for()
        page.get_by_label("La clave de la clase").fill(key.replace("-", " ").upper())
        page.get_by_role("button", name="Entrar").click()
        page.wait_for_selector("html[data-ready]")
        page.context.close()
