import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from reader_settings import check_that_settings_change_nothing

from taller_cnn.errors import OutputError
from taller_cnn.figures import curve_figure, digits_figure, save_figure
from taller_cnn.messages import Messages

ES = Messages("es")


def draw() -> Figure:
    return curve_figure("loss", [(1, 0.2), (2, 0.1)], [(1, 0.1), (2, 0.08)], [], None, ES)


def settings() -> dict[str, Any]:
    """Those of matplotlib; looking at the backend would choose one."""
    names = [name for name in matplotlib.rcParams if name != "backend"]
    return {name: matplotlib.rcParams[name] for name in names}


def test_a_saved_figure_has_the_pixels_of_a_projector(tmp_path: Path) -> None:
    path = tmp_path / "resultados" / "loss_curve.png"
    save_figure(draw, path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size[0] >= 1500
    assert [p.name for p in path.parent.iterdir()] == ["loss_curve.png"]


def test_saving_replaces_the_earlier_figure_and_the_same_figure_gives_the_same_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "loss_curve.png"
    path.write_bytes(b"old")
    save_figure(draw, path)
    first = path.read_bytes()
    save_figure(draw, path)
    assert path.read_bytes() == first


def test_a_figure_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"loss_curve\.png"):
        save_figure(draw, tmp_path / "file" / "loss_curve.png")


def test_the_reader_s_settings_change_nothing(tmp_path: Path) -> None:
    images, labels = np.arange(4 * 28 * 28).reshape(4, 28, 28) % 251, [0, 1, 1, 0]
    check_that_settings_change_nothing(draw, tmp_path)
    check_that_settings_change_nothing(
        lambda: digits_figure(images, labels, ["0", "1"], ES), tmp_path
    )


def test_figures_of_many_threads_are_those_of_one(tmp_path: Path) -> None:
    save_figure(draw, tmp_path / "alone.png")
    paths = [tmp_path / f"{number}.png" for number in range(8)]
    before = settings()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: save_figure(draw, path), paths))
    assert {path.read_bytes() for path in paths} == {(tmp_path / "alone.png").read_bytes()}
    assert settings() == before


def test_drawing_needs_no_pyplot_and_leaves_the_settings_alone(tmp_path: Path) -> None:
    # Looking at the setting `backend` would itself import pyplot.
    program = (
        "import pathlib, sys, matplotlib\n"
        "names = [name for name in matplotlib.rcParams if name != 'backend']\n"
        "before = [matplotlib.rcParams[name] for name in names]\n"
        "from taller_cnn.figures import curve_figure, save_figure\n"
        "from taller_cnn.messages import Messages\n"
        "draw = lambda: curve_figure('loss', [(1, 1.0)], [], [], None, Messages('es'))\n"
        "save_figure(draw, pathlib.Path(sys.argv[1]))\n"
        "assert [matplotlib.rcParams[name] for name in names] == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
    )
    command = [sys.executable, "-c", program, tmp_path / "curve.png"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
