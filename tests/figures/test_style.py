import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from taller_cnn.errors import OutputError
from taller_cnn.figures import curve_figure, save_figure
from taller_cnn.messages import Messages


def figure() -> Figure:
    return curve_figure("loss", [1, 2], [0.2, 0.1], [0.1, 0.08], None, None, Messages("es"))


def test_a_saved_figure_has_the_pixels_of_a_projector(tmp_path: Path) -> None:
    path = tmp_path / "resultados" / "loss_curve.png"
    save_figure(figure(), path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size[0] >= 1500
    assert [p.name for p in path.parent.iterdir()] == ["loss_curve.png"]


def test_saving_replaces_the_earlier_figure_and_the_same_figure_gives_the_same_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "loss_curve.png"
    path.write_bytes(b"old")
    save_figure(figure(), path)
    first = path.read_bytes()
    save_figure(figure(), path)
    assert path.read_bytes() == first


def test_a_figure_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"loss_curve\.png"):
        save_figure(figure(), tmp_path / "file" / "loss_curve.png")


def test_drawing_needs_no_pyplot_and_leaves_the_settings_alone() -> None:
    # Looking at the setting `backend` would itself import pyplot.
    program = (
        "import sys, matplotlib\n"
        "names = [name for name in matplotlib.rcParams if name != 'backend']\n"
        "before = [matplotlib.rcParams[name] for name in names]\n"
        "from taller_cnn.figures import curve_figure\n"
        "from taller_cnn.messages import Messages\n"
        "curve_figure('loss', [1], [1.0], None, None, None, Messages('es'))\n"
        "assert [matplotlib.rcParams[name] for name in names] == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
