from __future__ import annotations

import asyncio
import hmac
import re
from typing import Any

import pytest

from taller_cnn.lab.opening import access_for
from taller_cnn.lab.problems import MOST_BODY
from taller_cnn.lab.security import COOKIE, Access, Gate

TOKEN = "t" * 43
KEY = "k7mp-3xqd"
NETWORK = Access(names=frozenset({"192.168.1.5", "localhost"}), token=TOKEN, class_key=KEY)


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole body and says how long it was, and who asked."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    visitor = scope["state"]["visitor"]
    headers = [(b"role", visitor.role.encode()), (b"person", visitor.person.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(length).encode("ascii")})


@pytest.fixture
def local(client_of):
    return client_of(Gate(page, Access(), "en"))


@pytest.fixture
def network(client_of):
    return client_of(Gate(page, NETWORK, "en"), "http://192.168.1.5:8000")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "localhost.:8000"]
)
def test_the_labs_own_names_are_answered(local, host: str) -> None:
    assert local.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "192.168.1.5",
     "evil@localhost", "localhost:80:80", "[::1", "", "localhost,evil.example"],
)  # fmt: skip
def test_another_name_that_points_here_is_refused(local, problem, host: str) -> None:
    problem(local.get("/api/health", headers={"Host": host}), 403, "lab_host")


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost:8000", "https://127.0.0.1:8000",
     "http://127.0.0.1:9000"],
)  # fmt: skip
def test_another_page_cannot_start_anything(local, problem, origin: str) -> None:
    for path in ("/api/runs", "/api/predict"):
        answer = local.post(path, headers={"Origin": origin}, json={})
        problem(answer, 403, "lab_origin")


def test_the_own_page_can(local) -> None:
    headers = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    assert local.post("/api/runs", headers=headers).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pictures_and_frames_of_other_sites_get_nothing(local, problem, site: str) -> None:
    problem(local.get("/api/models", headers={"Sec-Fetch-Site": site}), 403, "lab_origin")
    # A link to the page is followed.
    assert local.get("/", headers={"Sec-Fetch-Site": site}).status_code == 200


def test_every_answer_keeps_the_page_to_itself(local) -> None:
    for answer in (local.get("/"), local.get("/", headers={"Host": "evil.example"})):
        policy = answer.headers["content-security-policy"].split("; ")
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answer.headers


def test_from_the_network_nothing_is_given_without_the_token(network, problem) -> None:
    for path in ("/", "/api/models", "/static/page.css", "/?token=wrong", "/?token="):
        answer = network.get(path)
        problem(answer, 401, "lab_token")
        assert "set-cookie" not in answer.headers
    answer = network.get("/api/models", headers={"Cookie": f"{COOKIE}=wrong; {COOKIE}="})
    problem(answer, 401, "lab_token")
    answer = network.post("/api/predict", headers={"Cookie": f"{COOKIE}={TOKEN}"})
    problem(answer, 401, "lab_token")


def test_the_token_is_exchanged_for_a_cookie_that_no_script_reads(network) -> None:
    answer = network.get(f"/?token={TOKEN}")
    assert answer.status_code == 200
    assert TOKEN not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} == set(attributes)
    name, _, value = cookie.partition("=")
    assert name == COOKIE
    assert TOKEN not in value
    answer = network.get("/api/models", headers={"Cookie": f"other=1; {cookie}"})
    assert (answer.status_code, answer.headers["role"]) == (200, "teacher")


def enter(network, token: str, **headers: str) -> dict[str, str]:
    """The header with the cookie that a token is exchanged for."""
    answer = network.get(f"/?token={token}", headers=headers)
    assert answer.status_code == 200
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@pytest.mark.parametrize("typed", [KEY, "k7mp3xqd", "K7MP-3XQD", "K7mp 3xqd"])
def test_the_class_gets_in_with_its_key_however_it_is_typed(network, typed: str) -> None:
    answer = network.get("/api/models", headers=enter(network, typed))
    assert (answer.status_code, answer.headers["role"]) == (200, "pupil")


def test_every_pupil_is_somebody_else_and_stays_the_same(network) -> None:
    ana, luis = enter(network, KEY), enter(network, KEY)
    people = [network.get("/x", headers=h).headers["person"] for h in (ana, luis, ana)]
    assert people[0] == people[2] != people[1]
    # The address opened again changes neither the person nor, downwards, the role.
    assert "set-cookie" not in network.get(f"/?token={KEY}", headers=ana).headers
    teacher = enter(network, TOKEN)
    assert "set-cookie" not in network.get(f"/?token={KEY}", headers=teacher).headers
    promoted = enter(network, TOKEN, **ana)
    assert network.get("/x", headers=promoted).headers["role"] == "teacher"


def test_nobody_makes_a_cookie(network, problem) -> None:
    name, _, value = enter(network, KEY)["Cookie"].partition("=")
    role, person, signature = value.split(".")
    for made in (
        f"teacher.{person}.{signature}",
        f"{role}.{'0' * 16}.{signature}",
        f"{role}.{person}.",
        f"{role}.{person}",
        f"{role}.{person}.{'0' * 64}",
        "..",
        ".",
    ):
        problem(network.get("/x", headers={"Cookie": f"{name}={made}"}), 401, "lab_token")
    other = Access(token=TOKEN, class_key=KEY)
    headers = {"Cookie": f"{COOKIE}={other.cookie('teacher')}"}
    problem(network.get("/x", headers=headers), 401, "lab_token")


def test_the_classs_key_is_no_password_for_programs(network, problem) -> None:
    for key in (KEY, "k7mp3xqd"):
        headers = {"Authorization": f"Bearer {key}"}
        problem(network.get("/api/models", headers=headers), 401, "lab_token")


def test_a_browser_without_the_key_is_asked_for_it(network) -> None:
    headers = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": "en"}
    for path, is_wrong in (("/", False), ("/?token=wrong", True)):
        answer = network.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"].startswith("text/html")
        assert "form-action 'self'" in answer.headers["content-security-policy"]
        assert 'name="token"' in answer.text
        assert ("That is not the key" in answer.text) is is_wrong
        assert KEY not in answer.text
    assert "pizarra" in network.get("/", headers={**headers, "Accept-Language": "es"}).text


def test_both_tokens_are_compared_in_constant_time(network, monkeypatch) -> None:
    compared = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append(b) or real(a, b))
    for given in (TOKEN, KEY, "x"):
        compared.clear()
        NETWORK.role_of(given)
        assert compared == [TOKEN.encode(), b"k7mp3xqd"]


def test_programs_may_send_the_token_itself(network, problem) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert network.get("/api/models", headers=headers).status_code == 200
    headers = {"Authorization": "Bearer ñ".encode()}
    problem(network.get("/api/models", headers=headers), 401, "lab_token")


def test_a_lab_on_all_addresses_answers_to_numbers_but_not_to_any_name(client_of, problem) -> None:
    access = Access.for_network("0.0.0.0", ["Pc-1"])
    headers = {"Authorization": f"Bearer {access.token}"}
    asking = client_of(Gate(page, access, "en"))
    for host in ("10.0.0.3:8000", "pc-1:8000", "[fe80::1]:8000"):
        assert asking.get("/x", headers={**headers, "Host": host}).status_code == 200
    answer = asking.get("/x", headers={**headers, "Host": "evil.example"})
    problem(answer, 403, "lab_host")


def test_tokens_are_new_each_time_and_long() -> None:
    one, two = Access.for_network("0.0.0.0"), Access.for_network("0.0.0.0")
    assert one.token != two.token
    assert len(one.token or "") >= 43
    assert one.class_key != two.class_key
    assert one.secret != two.secret
    assert re.fullmatch(r"[a-hjkmnp-z2-9]{4}-[a-hjkmnp-z2-9]{4}", one.class_key or "")


def test_a_body_over_the_limit_is_refused_before_it_is_read(problem, client_of) -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("let in")

    asking = client_of(Gate(never, Access(), "en"))
    answer = asking.post("/api/readings", content=b"x", headers={"Content-Length": "10000001"})
    problem(answer, 413, "lab_body")
    assert answer.headers["connection"] == "close"


def test_a_body_that_does_not_say_its_length_is_cut_off_at_the_limit(local, problem) -> None:
    async def pieces():
        for _ in range(12):
            yield b"x" * 1_000_000

    problem(local.post("/api/readings", content=pieces()), 413, "lab_body")


def test_a_body_of_just_the_limit_is_taken(local) -> None:
    assert local.post("/", content=b"x" * MOST_BODY).text == str(MOST_BODY)


def test_a_fault_of_the_lab_tells_no_insides(client_of, problem, caplog) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("secret path /home/ana")

    answer = client_of(Gate(broken, Access(), "es")).get("/api/models")
    assert "secret" not in problem(answer, 500, "lab_fault")["detail"]
    assert "secret path" in caplog.text


def test_a_refusal_is_in_the_language_that_is_asked_for(local) -> None:
    headers = {"Host": "evil.example", "Accept-Language": "fr, es-MX;q=0.8, en;q=0.5"}
    assert local.get("/", headers=headers).json()["title"] == "Desde ahí no está permitido"
    headers["Accept-Language"] = "fr"
    assert local.get("/", headers=headers).json()["title"] == "Not allowed from there"


def test_what_is_no_request_is_passed_on() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(Gate(app, NETWORK, "en")({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]


# -------------------------------------------------------- a name or a proxy in front


@pytest.fixture
def behind(client_of):
    """A lab that listens on this machine alone, with a proxy called hub.example in front."""
    access = access_for("127.0.0.1", ["hub.example"])
    assert access.token
    return client_of(Gate(page, access, "en")), {"Authorization": f"Bearer {access.token}"}


def test_a_name_that_is_allowed_is_answered_with_the_token_alone(behind, problem) -> None:
    asking, token = behind
    for host in ("hub.example", "HUB.example:8443", "hub.example.", "127.0.0.1:8000"):
        assert asking.get("/api/models", headers={"Host": host, **token}).status_code == 200
        # Not even from this machine: a proxy comes from there too.
        problem(asking.get("/api/models", headers={"Host": host}), 401, "lab_token")
    for host in ("evil.example", "hub.example.evil.example", "a.hub.example", "xhub.example"):
        answer = asking.get("/api/models", headers={"Host": host, **token})
        problem(answer, 403, "lab_host")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("hub.example", "https://hub.example"),
        ("hub.example", "http://hub.example"),
        ("hub.example:8443", "https://hub.example:8443"),
        ("hub.example:443", "https://hub.example"),
        # A proxy that puts the lab's own address into the request.
        ("127.0.0.1:8000", "https://hub.example"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_the_page_behind_a_proxy_can_start_things(behind, host: str, origin: str) -> None:
    asking, token = behind
    headers = {"Host": host, "Origin": origin, **token}
    assert asking.post("/api/runs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("hub.example", "https://hub.example:9000"),
        ("hub.example", "https://evil.example"),
        ("hub.example", "ftp://hub.example"),
        ("hub.example", "null"),
        ("127.0.0.1:8000", "https://evil.example"),
        ("127.0.0.1:8000", "https://hub.example.evil.example"),
        ("127.0.0.1:8000", "https://127.0.0.1:8000"),
        ("127.0.0.1:8000", "https://evil@hub.example"),
    ],
)
def test_other_pages_cannot_even_with_the_token(behind, problem, host: str, origin: str) -> None:
    asking, token = behind
    headers = {"Host": host, "Origin": origin, **token}
    problem(asking.post("/api/runs", headers=headers), 403, "lab_origin")


def test_without_a_name_in_front_nothing_is_looser(local, problem) -> None:
    headers = {"Host": "127.0.0.1:8000", "Origin": "https://hub.example"}
    problem(local.post("/api/runs", headers=headers), 403, "lab_origin")
    problem(local.get("/", headers={"Host": "hub.example"}), 403, "lab_host")


def test_names_are_allowed_beside_those_of_a_lab_in_the_network() -> None:
    access = access_for("192.168.1.2", ["Hub.Example"])
    assert access.token
    assert all(access.knows_host(host) for host in ("192.168.1.2:8000", "hub.example"))
