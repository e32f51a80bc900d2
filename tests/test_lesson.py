"""The lesson, `pytorch/cnn_pytorch.py`, and the notebook that is made from it."""

import ast
import importlib.util
import os
import shutil
import struct
import subprocess
import sys
import types
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
import torch

REPO = Path(__file__).resolve().parents[1]
SCRIPT = REPO / "pytorch" / "cnn_pytorch.py"
NOTEBOOK = SCRIPT.with_suffix(".ipynb")
NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
RESULTS = {
    "modelo/cnn_mnist.pt",
    "resultados/accuracy_curve.png",
    "resultados/confusion_matrix.png",
    "resultados/loss_curve.png",
    "resultados/sample_predictions.png",
}

# The starting document's code, which the lesson keeps word for word.
NETWORK = """
class SimpleCNN(nn.Module):
    def __init__(self):
        super(SimpleCNN, self).__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.fc1 = nn.Linear(32 * 7 * 7, 128)
        self.fc2 = nn.Linear(128, 10)
        self.dropout = nn.Dropout(0.25)
    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 32 * 7 * 7)
        x = F.relu(self.fc1(x))
        x = self.dropout(x)
        x = self.fc2(x)
        return x
"""
TRAIN = """
def train():
    model.train()
    running_loss = 0.0
    correct, total = 0, 0
    for images, labels in train_loader:
        images, labels = images.to(DEVICE), labels.to(DEVICE)
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item() * images.size(0)
        _, predicted = torch.max(outputs, 1)
        correct += (predicted == labels).sum().item()
        total += labels.size(0)
    return running_loss / total, correct / total
"""


def import_lesson() -> types.ModuleType:
    """The lesson as a module of its own; its folders are those of the current folder."""
    spec = importlib.util.spec_from_file_location("cnn_pytorch", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def lesson(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> types.ModuleType:
    """The lesson, imported in an empty folder, where its results go too."""
    monkeypatch.chdir(tmp_path)
    return import_lesson()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing can be fetched; urllib, which keeps the first proxies it meets, meets them anew."""
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    urllib.request.install_opener(None)  # type: ignore[arg-type]
    yield
    urllib.request.install_opener(None)  # type: ignore[arg-type]


def run(
    folder: Path, *arguments: str, script: Path = SCRIPT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the lesson as a student does, in `folder`, without a network."""
    kept = {k: v for k, v in os.environ.items() if k not in ("TALLER_DATA_DIR", "DISPLAY")}
    # One thread: spinning threads make small batches very slow on a busy machine.
    settings = {**NO_NETWORK, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, "-W", "error", str(script), *arguments],
        cwd=folder,
        env={**kept, **settings, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def write_digits(folder: Path, train: int, test: int) -> None:
    """Write that many digits, each a bright bar whose place is its label, as plain IDX files."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name, count in (("train", train), ("t10k", test)):
        labels = generator.integers(0, 10, count).astype(np.uint8)
        images = generator.integers(0, 60, (count, 28, 28)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[:, 2 * label + 2 : 2 * label + 6] = 255
        header = struct.pack(">IIII", 0x803, count, 28, 28)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = struct.pack(">II", 0x801, count)
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())


def without_taller_cnn(folder: Path) -> str:
    """A path that comes first and on which the package is not installed, as in Colab."""
    (folder / "taller_cnn").mkdir(parents=True)
    (folder / "taller_cnn" / "__init__.py").write_text("raise ImportError('not installed')\n")
    return str(folder)


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def statements(source: str, name: str) -> str:
    """The body of the definition `name` in `source`, without docstring and layout."""
    tree = next(node for node in ast.parse(source).body if getattr(node, "name", None) == name)
    assert isinstance(tree, ast.FunctionDef | ast.ClassDef)
    without_docstring = tree.body[1:] if ast.get_docstring(tree) else tree.body
    return "\n".join(map(ast.unparse, without_docstring))


def test_importing_runs_nothing_writes_nothing_and_prints_nothing(tmp_path: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r}); sys.dont_write_bytecode = True\n"
        "import torch; before = torch.get_rng_state()\n"
        "import cnn_pytorch\n"
        "assert torch.equal(torch.get_rng_state(), before)\n"
        "assert not hasattr(cnn_pytorch, 'model')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert files(tmp_path) == set()


def test_the_network_has_206922_parameters_under_the_names_of_the_state_dict(
    lesson: types.ModuleType,
) -> None:
    model = lesson.SimpleCNN()
    assert sum(p.numel() for p in model.parameters()) == 206_922
    assert [name.split(".")[0] for name in model.state_dict()][::2] == [
        *("conv1", "conv2", "fc1", "fc2")
    ]
    assert model(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def test_network_and_training_are_word_for_word_those_of_the_starting_document() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    assert statements(source, "SimpleCNN") == statements(NETWORK, "SimpleCNN")
    assert statements(source, "train") == statements(TRAIN, "train")


def test_the_settings_are_those_that_speed_is_measured_against(lesson: types.ModuleType) -> None:
    assert (lesson.EPOCHS, lesson.BATCH_SIZE, lesson.LEARNING_RATE) == (10, 64, 1e-3)


def test_the_loaders_have_default_settings_and_shuffle_the_training_digits_only(
    lesson: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_digits(tmp_path / "data" / "MNIST" / "raw", 40, 20)
    monkeypatch.setattr(lesson, "DigitsPlace", None)
    train_loader, test_loader = lesson.load_data()
    assert (train_loader.batch_size, train_loader.num_workers) == (64, 0)
    assert isinstance(train_loader.sampler, torch.utils.data.RandomSampler)
    assert isinstance(test_loader.sampler, torch.utils.data.SequentialSampler)
    images, labels = next(iter(test_loader))
    assert images.shape == (20, 1, 28, 28)
    raw = test_loader.dataset.data[0].float() / 255
    assert torch.allclose(images[0, 0], (raw - 0.1307) / 0.3081, atol=1e-6)
    assert labels.tolist() == test_loader.dataset.targets.tolist()


def test_training_lowers_the_loss_and_testing_changes_nothing(lesson: types.ModuleType) -> None:
    torch.manual_seed(0)
    images, labels = torch.randn(64, 1, 28, 28), torch.arange(64) % 10
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), 20)
    model, criterion = lesson.SimpleCNN(), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    before = lesson.test(model, loader, criterion)
    assert lesson.test(model, loader, criterion) == before
    with torch.no_grad():
        logits = model.eval()(images)
    # 64 is not a multiple of 20: a mean of batch means would weigh the last batch too much.
    assert before[0] == pytest.approx(criterion(logits, labels).item(), rel=1e-5)
    assert before[1] == (logits.argmax(1) == labels).float().mean().item()
    for _ in range(5):
        loss, accuracy = lesson.train(model, loader, optimizer, criterion)
    assert 0 <= accuracy <= 1
    assert loss < before[0]


def test_predictions_come_in_the_order_of_the_digits(lesson: types.ModuleType) -> None:
    images, labels = torch.randn(25, 1, 28, 28), torch.arange(25) % 10
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), 10)
    model = lesson.SimpleCNN()
    y_true, y_pred = lesson.predict(model, loader)
    assert y_true == labels.tolist()
    with torch.no_grad():
        assert y_pred == model(images).argmax(1).tolist()


def test_the_figures_have_the_titles_of_the_starting_document(
    lesson: types.ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "resultados").mkdir()
    plt = lesson.plt
    plt.close("all")
    try:
        lesson.plot_loss([0.3, 0.2], [0.25, 0.15])
        axes = plt.gca()
        assert axes.get_title() == "Curva de pérdida"
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("Época", "Pérdida")
        assert [list(line.get_xdata()) for line in axes.get_lines()] == [[1, 2], [1, 2]]
        legend = [text.get_text() for text in axes.get_legend().get_texts()]
        assert legend == ["Train Loss", "Test Loss"]
        lesson.plot_accuracy([0.9, 0.95], [0.91, 0.94])
        assert plt.gca().get_title() == "Curva de precisión"
        assert plt.gca().get_ylabel() == "Precisión"
        lesson.plot_confusion_matrix([0, 1, 1, 9], [0, 1, 7, 9])
        assert plt.gca().get_title() == "Matriz de confusión - MNIST"
        assert len(plt.gca().get_xticklabels()) == 10
        lesson.plot_sample_predictions(np.zeros((6, 28, 28)), [0] * 6, [0] * 5 + [1])
        shown = [axes.get_title() for axes in plt.gcf().axes if axes.get_title()]
        assert shown == ["Real: 0\nPredicción: 0"] * 5 + ["Real: 0\nPredicción: 1"]
    finally:
        plt.close("all")
    assert files(tmp_path) == RESULTS - {"modelo/cnn_mnist.pt"}


def test_the_digits_come_from_the_package_and_are_the_sample_without_mnist_and_network(
    lesson: types.ModuleType, workdir: Path, no_network: None
) -> None:
    assert lesson.digits_root() == Path(lesson.SAMPLE_DIR)
    train_loader, test_loader = lesson.load_data(batch_size=50)
    assert (len(train_loader.dataset), len(test_loader.dataset)) == (4000, 1000)
    assert not (workdir / "data" / "MNIST").exists()


@pytest.mark.full
def test_the_digits_are_the_full_mnist_where_it_is(
    lesson: types.ModuleType, full_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesson, "DATA_DIR", str(full_data_dir))
    assert lesson.digits_root() == full_data_dir
    train_loader, test_loader = lesson.load_data()
    assert (len(train_loader.dataset), len(test_loader.dataset)) == (60_000, 10_000)


def test_the_script_leaves_the_tree_also_where_the_package_is_not_installed(
    tmp_path: Path, lesson: types.ModuleType
) -> None:
    folder = tmp_path / "project"
    write_digits(folder / "data" / "MNIST" / "raw", 512, 128)
    before = files(folder)
    done = run(folder, "--epochs", "2", PYTHONPATH=without_taller_cnn(tmp_path / "colab"))
    assert (done.returncode, done.stderr) == (0, "")
    assert files(folder) - before == RESULTS
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Dígitos: 512 de entrenamiento y 128 de prueba.")
    assert lines[1].startswith("AVISO")
    assert lines[2].startswith("Época 1/2 - entrenamiento: pérdida ")
    assert lines[3].startswith("Época 2/2 - entrenamiento: pérdida ")
    weights = torch.load(folder / "modelo" / "cnn_mnist.pt", weights_only=True)
    lesson.SimpleCNN().load_state_dict(weights, strict=True)


def test_started_in_its_own_folder_as_jupyter_does_it_works_in_the_project_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pytorch").mkdir()
    shutil.copy(NOTEBOOK, tmp_path / "pytorch")
    monkeypatch.chdir(tmp_path / "pytorch")
    lesson = import_lesson()
    folders = [lesson.DATA_DIR, lesson.SAMPLE_DIR, lesson.MODEL_DIR, lesson.RESULTS_DIR]
    assert [Path(folder).resolve().relative_to(tmp_path).as_posix() for folder in folders] == [
        *("data", "data/sample", "modelo", "resultados")
    ]


@pytest.mark.parametrize("where", ["pytorch", "pytorch/pytorch/notas", "cuadernos", "a/pytorch"])
def test_elsewhere_it_works_in_the_current_folder_whatever_its_name(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a project that is called as the folder of the lesson is, where its editor starts."""
    (tmp_path / "pytorch" / "pytorch").mkdir(parents=True)
    shutil.copy(SCRIPT, tmp_path / "pytorch" / "pytorch")
    shutil.copy(NOTEBOOK, tmp_path / "pytorch" / "pytorch")
    (tmp_path / where).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / where)
    assert import_lesson().BASE_DIR == "."


def test_weights_that_are_no_numbers_are_not_saved_and_that_is_told(tmp_path: Path) -> None:
    script = tmp_path / "cnn_pytorch.py"
    rate = "LEARNING_RATE = 1e-3"
    text = SCRIPT.read_text(encoding="utf-8")
    assert text.count(rate) == 1
    script.write_text(text.replace(rate, "LEARNING_RATE = 1e30"), encoding="utf-8")
    write_digits(tmp_path / "data" / "MNIST" / "raw", 512, 128)
    (tmp_path / "modelo").mkdir()
    (tmp_path / "modelo" / "cnn_mnist.pt").write_bytes(b"good")
    before = files(tmp_path)
    path = without_taller_cnn(tmp_path.parent / f"{tmp_path.name}-colab")
    done = run(tmp_path, "--epochs", "1", script=script, PYTHONPATH=path)
    assert done.returncode == 1
    assert done.stderr.startswith("Los pesos ya no son números finitos (NaN o infinito)")
    assert files(tmp_path) == before
    assert (tmp_path / "modelo" / "cnn_mnist.pt").read_bytes() == b"good"


def test_the_data_folder_can_be_given_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLER_DATA_DIR", str(tmp_path / "elsewhere"))
    assert Path(import_lesson().DATA_DIR) == tmp_path / "elsewhere"


@pytest.mark.slow
def test_the_script_trains_on_the_sample_with_the_package(workdir: Path) -> None:
    done = run(workdir, "--epochs", "1", "--batch-size", "32")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Dígitos: 4000 de entrenamiento y 1000 de prueba.")
    assert files(workdir) >= RESULTS


@pytest.mark.parametrize("arguments", [["--epochs", "0"], ["--batch-size", "0"], ["--epoca", "1"]])
def test_wrong_options_are_refused(
    arguments: list[str],
    lesson: types.ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["cnn_pytorch.py", *arguments])
    with pytest.raises(SystemExit) as refused:
        lesson.get_args()
    assert refused.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_in_a_notebook_the_settings_hold_and_jupyter_s_arguments_are_left_alone(
    lesson: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    args = lesson.get_args()
    assert (args.epochs, args.batch_size) == (10, 64)


def test_the_notebook_has_the_cells_of_the_script_and_no_outputs() -> None:
    script, notebook = jupytext.read(SCRIPT), nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert [(c.cell_type, c.source) for c in notebook.cells] == [
        (c.cell_type, c.source) for c in script.cells
    ]
    assert notebook.metadata.kernelspec == script.metadata.kernelspec
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_making_the_notebook_again_changes_no_byte(tmp_path: Path) -> None:
    script = shutil.copy(SCRIPT, tmp_path)
    notebook = shutil.copy(NOTEBOOK, tmp_path)
    command = [sys.executable, "-m", "jupytext", "--to", "ipynb", "--update", script]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path(notebook).read_bytes() == NOTEBOOK.read_bytes()
