"""The lesson, `pytorch/cnn_pytorch.py`, and the notebook that is made from it."""

import ast
import importlib.util
import os
import re
import shutil
import struct
import subprocess
import sys
import types
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    "resultados/lesson_digits.png",
    "resultados/lesson_feature_maps.png",
    "resultados/lesson_filters.png",
    "resultados/lesson_pixels.png",
}

# The starting document's code, which the lesson keeps word for word.
DATA = """
transform = transforms.Compose([
    transforms.ToTensor(),
    transforms.Normalize((0.1307,), (0.3081,))
])
train_dataset = datasets.MNIST(root=DATA_DIR, train=True, download=True, transform=transform)
test_dataset = datasets.MNIST(root=DATA_DIR, train=False, download=True, transform=transform)
"""
CONFUSION = """
cm = confusion_matrix(y_true, y_pred)
disp = ConfusionMatrixDisplay(confusion_matrix=cm, display_labels=list(range(10)))
disp.plot(ax=ax)
plt.title('Matriz de confusión - MNIST')
plt.savefig(os.path.join(RESULTS_DIR, 'confusion_matrix.png'))
"""
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


def definition(source: str, name: str) -> ast.FunctionDef | ast.ClassDef:
    """The definition `name` in `source`, without docstring."""
    tree = next(node for node in ast.parse(source).body if getattr(node, "name", None) == name)
    assert isinstance(tree, ast.FunctionDef | ast.ClassDef)
    if ast.get_docstring(tree):
        del tree.body[0]
    return tree


def set_up(lesson: types.ModuleType, loader: torch.utils.data.DataLoader[Any]) -> None:
    """Give the lesson a network and digits, as its cells do before they call `train`."""
    model = lesson.SimpleCNN()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = torch.nn.CrossEntropyLoss()
    vars(lesson).update(model=model, optimizer=optimizer, criterion=criterion, train_loader=loader)


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


@pytest.mark.parametrize(("block", "name"), [(NETWORK, "SimpleCNN"), (TRAIN, "train")])
def test_network_and_training_are_word_for_word_those_of_the_starting_document(
    block: str, name: str
) -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    assert ast.unparse(definition(source, name)) == ast.unparse(definition(block, name))


@pytest.mark.parametrize(
    ("block", "name"), [(DATA, "load_data"), (CONFUSION, "plot_confusion_matrix")]
)
def test_data_and_confusion_matrix_have_the_statements_of_the_starting_document(
    block: str, name: str
) -> None:
    there = [ast.unparse(node) for node in definition(SCRIPT.read_text("utf-8"), name).body]
    wanted = [ast.unparse(node) for node in ast.parse(block).body]
    assert [statement for statement in there if statement in wanted] == wanted


def test_the_settings_are_those_that_speed_is_measured_against(
    lesson: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten epochs from the command line; a notebook has two."""
    assert (lesson.EPOCHS, lesson.BATCH_SIZE, lesson.LEARNING_RATE) == (2, 64, 1e-3)
    monkeypatch.setattr(sys, "argv", ["cnn_pytorch.py"])
    args = lesson.get_args()
    assert (args.epochs, args.batch_size, args.seed) == (10, 64, 0)


def test_numbers_are_written_as_in_spanish(lesson: types.ModuleType) -> None:
    assert lesson.spanish(1234.5, 2) == "1.234,50"
    assert lesson.spanish(60_000) == "60.000"
    assert lesson.percent(0.98765) == "98,77 %"


def test_the_loaders_have_default_settings_and_shuffle_the_training_digits_only(
    lesson: types.ModuleType, tmp_path: Path
) -> None:
    write_digits(tmp_path / "data" / "MNIST" / "raw", 48, 20)
    datasets = lesson.load_data()
    train_loader, val_loader, test_loader = lesson.make_loaders(*datasets)
    assert (train_loader.batch_size, train_loader.num_workers) == (64, 0)
    assert isinstance(train_loader.sampler, torch.utils.data.RandomSampler)
    for loader in (val_loader, test_loader):
        assert isinstance(loader.sampler, torch.utils.data.SequentialSampler)
    images, labels = next(iter(test_loader))
    assert images.shape == (20, 1, 28, 28)
    raw = test_loader.dataset.data[0].float() / 255
    assert torch.allclose(images[0, 0], (raw - 0.1307) / 0.3081, atol=1e-6)
    assert labels.tolist() == test_loader.dataset.targets.tolist()


def test_the_validation_digits_are_not_trained_on_and_are_the_same_for_every_seed(
    lesson: types.ModuleType, tmp_path: Path
) -> None:
    write_digits(tmp_path / "data" / "MNIST" / "raw", 48, 20)
    datasets = lesson.load_data()
    splits = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        train_loader, val_loader, _ = lesson.make_loaders(*datasets)
        splits.append((train_loader.dataset.indices, val_loader.dataset.indices))
    assert splits[0] == splits[1]
    train, validation = map(set, splits[0])
    assert (len(train), len(validation)) == (44, 4)
    assert train | validation == set(range(48))


def test_training_lowers_the_loss_and_evaluating_changes_nothing(
    lesson: types.ModuleType,
) -> None:
    torch.manual_seed(0)
    images, labels = torch.randn(64, 1, 28, 28), torch.arange(64) % 10
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), 20)
    set_up(lesson, loader)
    before = lesson.evaluate(loader)
    assert lesson.evaluate(loader) == before
    with torch.no_grad():
        logits = lesson.model.eval()(images)
    # 64 is not a multiple of 20: a mean of batch means would weigh the last batch too much.
    assert before[0] == pytest.approx(lesson.criterion(logits, labels).item(), rel=1e-5)
    assert before[1] == (logits.argmax(1) == labels).float().mean().item()
    for _ in range(5):
        loss, accuracy = lesson.train()
    assert 0 <= accuracy <= 1
    assert loss < before[0]


def test_predictions_come_in_the_order_of_the_digits_with_their_probability(
    lesson: types.ModuleType,
) -> None:
    images, labels = torch.randn(25, 1, 28, 28), torch.arange(25) % 10
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), 10)
    set_up(lesson, loader)
    y_true, y_pred, y_prob = lesson.predict(loader)
    assert y_true == labels.tolist()
    with torch.no_grad():
        probabilities = lesson.model(images).softmax(1)
    assert y_pred == probabilities.argmax(1).tolist()
    assert y_prob == pytest.approx(probabilities.amax(1).tolist(), rel=1e-5)


def test_the_figures_have_the_titles_of_the_starting_document(
    lesson: types.ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "resultados").mkdir()
    plt = lesson.plt
    plt.close("all")
    try:
        lesson.plot_curve([0.3, 0.2], [0.25, 0.15], [0.26, 0.16], "Pérdida", "loss_curve.png")
        axes = plt.gca()
        assert axes.get_title() == "Curva de pérdida"
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("Época", "Pérdida")
        assert [list(line.get_xdata()) for line in axes.get_lines()] == [[1, 2]] * 3
        legend = [text.get_text() for text in axes.get_legend().get_texts()]
        assert legend == ["Entrenamiento", "Validación", "Prueba"]
        assert axes.yaxis.get_major_formatter()(0.25) == "0,25"
        lesson.plot_confusion_matrix([*range(10), 1], [*range(10), 7])
        axes = plt.gcf().axes[0]
        assert axes.get_title() == "Matriz de confusión - MNIST"
        assert len(axes.get_xticklabels()) == 10
        images, y_true, y_prob = np.zeros((7, 28, 28)), [0] * 7, [0.5] * 5 + [0.6, 0.9]
        lesson.plot_sample_predictions(images, y_true, [0] * 5 + [1, 2], y_prob)
        shown = [axes.get_title() for axes in plt.gcf().axes if axes.get_title()]
        ranked = ["Real: 0\nPredicha: 2 (90,0 %)", "Real: 0\nPredicha: 1 (60,0 %)"]
        assert shown == ["Real: 0\nPredicha: 0 (50,0 %)"] * 5 + ranked
    finally:
        plt.close("all")
    seeds_figures = {"loss_curve.png", "confusion_matrix.png", "sample_predictions.png"}
    assert files(tmp_path) == {f"resultados/{name}" for name in seeds_figures}


def test_the_digits_come_from_the_package_and_are_the_sample_without_mnist_and_network(
    lesson: types.ModuleType, workdir: Path, no_network: None
) -> None:
    lesson.DATA_DIR = lesson.digits_root()
    assert Path(lesson.SAMPLE_DIR) == lesson.DATA_DIR
    assert tuple(map(len, lesson.load_data())) == (4000, 1000)
    assert not (workdir / "data" / "MNIST").exists()


@pytest.mark.full
def test_the_digits_are_the_full_mnist_where_it_is(
    lesson: types.ModuleType, full_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesson, "DATA_DIR", str(full_data_dir))
    assert lesson.digits_root() == full_data_dir
    train_dataset, test_dataset = lesson.load_data()
    assert (len(train_dataset), len(test_dataset)) == (60_000, 10_000)
    loaders = lesson.make_loaders(train_dataset, test_dataset)
    assert [len(loader.dataset) for loader in loaders] == [55_000, 5_000, 10_000]


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
    assert lines[0].startswith("AVISO")
    assert "Dígitos: 470 de entrenamiento, 42 de validación y 128 de prueba." in lines[3]
    epochs = [line for line in lines if line.startswith("Época ")]
    assert [line.split(" - ")[0] for line in epochs] == ["Época 1/2", "Época 2/2"]
    assert re.fullmatch(r"Precisión en el conjunto de prueba: \d+,\d\d %", lines[-3])
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
    data_figures = {"resultados/lesson_digits.png", "resultados/lesson_pixels.png"}
    assert files(tmp_path) - before == data_figures
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
    sizes = "3.667 de entrenamiento, 333 de validación y 1.000 de prueba."
    assert f"Dígitos: {sizes}" in done.stdout
    assert files(workdir) >= RESULTS


@pytest.mark.parametrize(
    "arguments", [["--epochs", "0"], ["--batch-size", "0"], ["--seed", "-1"], ["--epoca", "1"]]
)
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


def test_the_notebook_has_the_cells_of_the_script_without_those_of_a_program() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "__name__" not in text
    assert "argv" not in text
    assert "get_args" not in text
    for name in ("load_data", "SimpleCNN", "train", "plot_confusion_matrix"):
        kept = ast.unparse(definition(SCRIPT.read_text(encoding="utf-8"), name))
        code = "\n".join(c.source for c in notebook.cells if c.cell_type == "code")
        assert ast.unparse(definition(code, name)) == kept
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_making_the_notebook_again_changes_no_byte(tmp_path: Path) -> None:
    for file in (SCRIPT, SCRIPT.with_name("make_notebook.py")):
        shutil.copy(file, tmp_path)
    command = [sys.executable, str(tmp_path / "make_notebook.py")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / NOTEBOOK.name).read_bytes() == NOTEBOOK.read_bytes()


@pytest.mark.parametrize("where", ["colab", pytest.param("project", marks=pytest.mark.slow)])
def test_the_notebook_runs_from_top_to_bottom_on_the_sample(
    where: str, workdir: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With the package, and without it, where torchvision's own files are read."""
    environment = {}
    if where == "colab":
        environment["PYTHONPATH"] = without_taller_cnn(tmp_path_factory.mktemp("colab"))
        (workdir / "data" / "sample" / "MNIST").rename(workdir / "data" / "MNIST")
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    program = workdir / "cells.py"
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    program.write_text(code, encoding="utf-8")
    done = run(workdir, "-f", "kernel.json", script=program, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Época 2/2 - entrenamiento" in done.stdout
    assert files(workdir) >= RESULTS
    accuracy = re.search(r"Precisión en el conjunto de prueba: (\d+),", done.stdout)
    assert accuracy is not None
    assert int(accuracy[1]) > 85
