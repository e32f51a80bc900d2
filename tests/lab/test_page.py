from __future__ import annotations

import re
from pathlib import Path

import pytest

from taller_cnn.lab.lab import Lab
from taller_cnn.lab.page import LANGUAGE_MARK, STATIC, PageFiles


def test_the_page_is_in_the_language_of_the_command(client, shared_lab: Lab) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert LANGUAGE_MARK in (STATIC / "index.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in answer.text


def test_the_page_has_nothing_that_its_policy_forbids(client) -> None:
    text = client.get("/").text
    data = r'[^>]*\bsrc=| type="application/json"'
    assert not re.search(rf"<script(?!{data})", text)
    assert not re.search(r"\bstyle=|<style|\bon\w+=", text)
    for address in re.findall(r'(?:src|href)="([^"]+)"', text):
        assert address.startswith(("/static/", "#", "/docs")), address
        assert client.get(address).status_code == 200


def test_files_are_checked_again_at_each_visit(client) -> None:
    answer = client.get("/static/index.html")
    assert answer.headers["cache-control"] == "no-cache"
    tag = {"If-None-Match": answer.headers["etag"]}
    assert client.get("/static/index.html", headers=tag).status_code == 304


def test_a_file_that_changes_is_given_anew(tmp_path: Path, client_of) -> None:
    file = tmp_path / "page.js"
    file.write_text("let a = 1;", encoding="utf-8")
    asking = client_of(PageFiles(directory=tmp_path))
    first = asking.get("/page.js")
    assert first.text == "let a = 1;"
    assert first.headers["content-type"].startswith("text/javascript")
    file.write_text("let a = 12;", encoding="utf-8")
    tag = {"If-None-Match": first.headers["etag"]}
    assert asking.get("/page.js", headers=tag).text == "let a = 12;"


def test_a_file_that_the_page_has_not_is_told(client, problem) -> None:
    problem(client.get("/static/nothing.js"), 404, "lab_no_such_address")


@pytest.mark.parametrize("path", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "/etc/passwd"])
def test_nothing_outside_of_the_pages_folder_is_given(client, path: str) -> None:
    answer = client.get(f"/static/{path}")
    assert answer.status_code == 404
    assert "import" not in answer.text


def test_there_is_no_icon_to_miss(client) -> None:
    assert client.get("/favicon.ico").status_code == 204


def test_the_page_can_be_taken_away_as_a_file(client) -> None:
    answer = client.get("/api/models/main/page?lang=es")
    assert answer.headers["content-disposition"] == 'attachment; filename="taller-cnn-main.html"'
    assert '<html lang="es">' in answer.text
