from __future__ import annotations

import base64
import hashlib
import html
import re

ROUTES = {
    ("POST", "/api/predict"),
    ("POST", "/api/readings"),
    ("GET", "/api/digits"),
    ("GET", "/api/training-digits"),
    ("GET", "/api/models"),
    ("POST", "/api/models"),
    ("GET", "/api/models/{model_id}"),
    ("PATCH", "/api/models/{model_id}"),
    ("DELETE", "/api/models/{model_id}"),
    ("GET", "/api/models/{model_id}/mistakes"),
    ("GET", "/api/models/{model_id}/scores"),
    ("GET", "/api/models/{model_id}/page"),
    ("POST", "/api/runs"),
    ("GET", "/api/runs/form"),
    ("GET", "/api/runs/{run_id}/events"),
    ("PATCH", "/api/runs/{run_id}"),
    ("DELETE", "/api/runs/{run_id}"),
    ("GET", "/api/study"),
    ("GET", "/api/study/pictures/{name}"),
    ("GET", "/api/health"),
}


def test_every_route_is_documented(client) -> None:
    text = client.get("/docs").text
    shown = re.findall(r'class="method">(\w+)</span> <span class="path">([^<]+)<', text)
    assert set(shown) == ROUTES
    document = client.get("/openapi.json").json()
    assert {(m.upper(), p) for p, ms in document["paths"].items() for m in ms} == ROUTES


def test_every_route_is_explained(client) -> None:
    text = html.unescape(client.get("/docs").text)
    assert '<html lang="en">' in text
    for methods in client.get("/openapi.json").json()["paths"].values():
        for operation in methods.values():
            assert len(operation["summary"]) > 20
            assert operation["summary"] in text


def test_the_fields_of_a_route_are_listed(client) -> None:
    text = html.unescape(client.get("/docs").text)
    predict = text[text.index("/api/predict</span>") : text.index("/api/models</span>")]
    for field in ("image", "images", "model", "predictions"):
        assert f"<code>{field}</code>" in predict
    assert "28 rows of 28 grey levels" in predict


def test_the_page_needs_nothing_from_elsewhere(client) -> None:
    answer = client.get("/docs")
    assert "<script" not in answer.text
    assert not re.search(r'(src|href)="(?!/openapi\.json")', answer.text)
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["content-security-policy"]


def test_what_a_prediction_takes_and_gives_is_typed(client) -> None:
    document = client.get("/openapi.json").json()
    body = document["paths"]["/api/predict"]["post"]["requestBody"]
    asked = body["content"]["application/json"]["schema"]
    assert set(asked["properties"]) == {"image", "images", "model"}
    schemas = document["components"]["schemas"]
    assert "filters" in str(schemas["NewRun"])
    assert schemas["Problem"]["properties"]["errors"]
