from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from taller_cnn import doctor
from taller_cnn.data import download
from taller_cnn.data.datasets import FILES


@pytest.fixture(autouse=True)
def _mirror(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A mirror that answers, on this disk, and no variables of this machine."""
    folder = tmp_path_factory.mktemp("mirror")
    for name in FILES:
        (folder / f"{name}.gz").write_bytes(b"x")
    monkeypatch.setattr(download, "torchvision_mirrors", lambda spec: (f"{folder.as_uri()}/",))
    for name in (*doctor.CERTIFICATES, "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


def kinds(result: dict) -> dict[str, bool]:
    """Whether each problem stops the work."""
    return {problem["kind"]: problem["stops_work"] for problem in result["problems"]}


def test_a_machine_that_can_work_ends_with_0_and_nothing_is_made(cli, tmp_path: Path) -> None:
    outcome = cli("doctor", "--workdir", tmp_path / "work", "--json", "--lang", "en")
    result = outcome.json
    assert (outcome.code, result["can_work"], result["problems"]) == (0, True, [])
    assert result["packages"]["torch"] == result["torch"]["version"].partition("+")[0]
    assert None not in result["packages"].values()
    assert result["torch"]["threads"] == 1
    assert result["internet"] == {"reachable": True, "proxies": {}, "certificates": []}
    assert {told["kind"]: told["writable"] for told in result["folders"]} == dict.fromkeys(
        ("models", "results", "data", "temporary"), True
    )
    assert [told["state"] for told in result["data"]] == ["missing"] * 4
    assert not (tmp_path / "work").exists()
    assert "There is no problem that prevents work." in outcome.err


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("columns", ["80", "30"])
def test_it_is_told_in_both_languages_and_in_narrow_terminals(
    cli, workdir: Path, monkeypatch, language: str, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    outcome = cli("doctor", "--workdir", workdir, "--lang", language)
    assert outcome.code == 0
    words = {"es": "No hay ningún problema que impida trabajar.", "en": "There is no problem that prevents work."}
    assert words[language] in outcome.sentences
    assert "AVX-512" in outcome.out
    assert str(workdir / "data" / "sample" / "MNIST" / "raw") in outcome.out


def test_damaged_digits_stop_the_work(cli, workdir: Path) -> None:
    raw = workdir / "data" / "MNIST" / "raw"
    shutil.copytree(workdir / "data" / "sample" / "MNIST" / "raw", raw)
    outcome = cli("doctor", "--workdir", workdir, "--json")
    assert (outcome.code, kinds(outcome.json)) == (1, {"doctor_data_damaged": True})
    states = {told["source"]: told["state"] for told in outcome.json["data"][:2]}
    assert states == {"full": "damaged", "sample": "verified"}


@pytest.mark.full
def test_three_of_four_files_stop_the_work(cli, tmp_path: Path, full_data_dir: Path) -> None:
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FILES[1:]:
        (raw / name).symlink_to(full_data_dir / "MNIST" / "raw" / name)
    outcome = cli("doctor", "--workdir", tmp_path, "--json")
    assert outcome.json["data"][0]["state"] == "incomplete"
    assert (outcome.code, kinds(outcome.json)) == (1, {"doctor_data_incomplete": True})


@pytest.mark.full
def test_the_full_set_is_found_and_then_no_internet_is_no_matter(
    cli, tmp_path: Path, full_data_dir: Path, monkeypatch
) -> None:
    monkeypatch.setattr(download, "torchvision_mirrors", lambda spec: ("http://127.0.0.1:9/",))
    words = ["doctor", "--workdir", tmp_path, "--data-dir", full_data_dir, "--json", "--lang", "en"]
    outcome = cli(*words)
    assert outcome.json["data"][0]["state"] == "verified"
    assert (outcome.code, kinds(outcome.json)) == (0, {"doctor_offline": False})


def test_without_internet_it_works_and_says_so(cli, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(download, "torchvision_mirrors", lambda spec: ("http://127.0.0.1:9/",))
    outcome = cli("doctor", "--workdir", tmp_path, "--json", "--lang", "en")
    assert (outcome.code, kinds(outcome.json)) == (0, {"doctor_offline_sample": False})
    (problem,) = outcome.json["problems"]
    assert "127.0.0.1:9: Connection refused" in problem["text"]
    assert "the sample of 5,000 digits will be used" in problem["text"]
    assert outcome.json["internet"]["reachable"] is False


def test_proxies_are_told_without_their_password_and_certificates_that_are_not_there(
    cli, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://teacher:secret@proxy.example:3128/")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "corp.pem"))
    outcome = cli("doctor", "--workdir", tmp_path, "--json")
    told = outcome.json["internet"]
    assert told["proxies"] == {"https": "http://proxy.example:3128"}
    assert told["certificates"][0]["exists"] is False
    assert (outcome.code, kinds(outcome.json)) == (0, {"doctor_certificates": False})
    assert "secret" not in outcome.out + outcome.err


def test_a_folder_that_cannot_be_written_stops_the_work(cli, tmp_path: Path) -> None:
    (tmp_path / "resultados").write_text("a file where a folder should be")
    outcome = cli("doctor", "--workdir", tmp_path, "--json", "--lang", "en")
    assert (outcome.code, kinds(outcome.json)) == (1, {"doctor_folder": True})
    assert str(tmp_path / "resultados") in outcome.json["problems"][0]["text"]
    assert "--workdir" in outcome.json["problems"][0]["text"]


def test_a_full_disk_stops_the_work(cli, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "FREE_BYTES", 10**18)
    outcome = cli("doctor", "--workdir", tmp_path, "--json")
    assert (outcome.code, kinds(outcome.json)) == (1, {"doctor_disk": True})


def test_a_package_that_is_missing_stops_the_work_and_an_extra_does_not(
    cli, tmp_path: Path, monkeypatch
) -> None:
    version = doctor._version
    hidden = ("captum", "pillow-heif")
    monkeypatch.setattr(doctor, "_version", lambda p: None if p in hidden else version(p))
    outcome = cli("doctor", "--workdir", tmp_path, "--json")
    assert (outcome.code, kinds(outcome.json)) == (1, {"doctor_packages": True})
    assert "pip install captum" in outcome.json["problems"][0]["text"]
    assert outcome.json["packages"]["captum"] is None
    extras = {extra["name"]: extra for extra in outcome.json["extras"]}
    assert extras["pillow-heif"]["version"] is None
    assert extras["pillow-heif"]["install"] == "pip install pillow-heif"


def test_a_pytorch_that_cannot_be_loaded_is_told_with_all_the_rest(tmp_path: Path) -> None:
    """As a library of the system that is missing makes it: an error of any kind on import."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(
        "raise OSError('libcudart.so.13: no such file')"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "taller_cnn", "doctor", "--lang", "en", "--workdir", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "PyTorch or torchvision cannot be loaded (OSError: libcudart.so.13" in done.stdout
    assert "processor" in done.stdout


def test_its_help_page_loads_no_pytorch() -> None:
    code = "import sys; from taller_cnn.cli import main\ntry: main(['doctor', '--help'])\n"
    code += "except SystemExit: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
