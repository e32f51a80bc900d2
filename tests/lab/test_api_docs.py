from __future__ import annotations

import base64
import hashlib
import html
import re

from taller_cnn.lab.lab import Lab
from taller_cnn.messages import Messages

ROUTES = {
    ("POST", "/api/predict"),
    ("POST", "/api/readings"),
    ("GET", "/api/digits"),
    ("GET", "/api/models"),
    ("GET", "/api/models/{model_id}"),
    ("GET", "/api/models/{model_id}/mistakes"),
    ("GET", "/api/models/{model_id}/page"),
    ("POST", "/api/runs"),
    ("GET", "/api/runs/{run_id}/events"),
    ("PATCH", "/api/runs/{run_id}"),
    ("DELETE", "/api/runs/{run_id}"),
    ("GET", "/api/study"),
    ("GET", "/api/health"),
}


def test_every_route_is_documented(client) -> None:
    text = client.get("/docs").text
    shown = re.findall(r'class="method">(\w+)</span> <span class="path">([^<]+)<', text)
    assert set(shown) == ROUTES
    document = client.get("/openapi.json").json()
    assert {(m.upper(), p) for p, ms in document["paths"].items() for m in ms} == ROUTES


def test_every_route_is_explained_in_both_languages(client, client_of, lab_dir) -> None:
    for language in ("es", "en"):
        lab = Lab.in_folder(lab_dir, lab_dir / "data", language)
        text = html.unescape(client_of(lab).get("/docs").text)
        say = Messages(language)
        assert f'<html lang="{language}">' in text
        for name in ("health", "model_weights", "predict", "read", "act", "events", "exported"):
            assert say(f"lab.route.{name}") in text


def test_the_page_needs_nothing_from_elsewhere(client) -> None:
    answer = client.get("/docs")
    assert "<script" not in answer.text
    assert not re.search(r'(src|href)="(?!/openapi\.json")', answer.text)
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["content-security-policy"]


def test_what_a_prediction_takes_and_gives_is_typed(client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert set(schemas["PredictRequest"]["properties"]) == {"image", "images", "model"}
    assert "filters" in str(schemas["NewRun"])
    assert schemas["Problem"]["properties"]["errors"]
