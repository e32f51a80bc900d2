from __future__ import annotations

from pathlib import Path


def test_the_page_is_written_with_the_model_in_it(
    cli, trained_workdir: Path, tmp_path: Path
) -> None:
    target = tmp_path / "deep" / "page.html"
    outcome = cli("export", "html", "--workdir", trained_workdir, "--output", target, "--json")
    assert outcome.code == 0
    text = target.read_bytes()
    assert outcome.json == {
        "file": str(target),
        "bytes": len(text),
        "model": str(trained_workdir / "modelo" / "cnn_mnist.pt"),
    }
    assert b'<html lang="es">' in text
    assert b"taller-data" in text
    assert b"\r\n" not in text


def test_the_reader_is_told_where_it_is(cli, trained_workdir: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    model = trained_workdir / "modelo" / "cnn_mnist.pt"
    words = ("--workdir", trained_workdir, "--model", model, "--output", target, "--lang", "en")
    outcome = cli("export", "html", *words)
    assert (outcome.code, outcome.err) == (0, "")
    assert "page.html" in outcome.out.replace("\n", "")
    assert '<html lang="en">' in target.read_text(encoding="utf-8")


def test_without_a_model_the_way_to_one_is_told(cli, tmp_path: Path) -> None:
    outcome = cli("export", "html", "--workdir", tmp_path)
    assert outcome.code == 2
    assert "taller-cnn train" in outcome.err


def test_a_format_that_is_none_is_told(cli) -> None:
    outcome = cli("export", "pdf")
    assert outcome.code == 2
    assert "html" in outcome.err
    assert cli("export").code == 2
