"""Trees of JSON: what stands under a secret's name, and structures inside of texts."""

import json
from typing import Any

import pytest

from issues.scrubbing import Policy, Run, scrubber_of

F = "[Filtered]"


def scrubbed(tree: Any, **policy: Any) -> Any:
    return Run(scrubber_of(Policy(**policy))).tree(tree, "extra")


@pytest.mark.parametrize(
    ("tree", "left"),
    [
        ({"password": "x"}, {"password": F}),
        ({"credentials": {"user": "a", "key": ["b"]}}, {"credentials": F}),
        ({"pin": 1234}, {"pin": F}),
        ({"password": None, "token": "", "auth": True}, None),
        ({"max_tokens": 512, "author": "Ann"}, None),
        ({"token": "<function token at 0x7f>"}, None),
        ({"PWD": "/srv/app"}, None),
        ({"db_pwd": "abc"}, {"db_pwd": F}),
        ({"card": 4242424242424242}, {"card": F}),
        ({"variant_id": 4242424242424242, "id": "4242424242424242"}, None),
        ([["Authorization", "x"], ["Accept", "*"]], [["Authorization", F], None]),
        (["Host", "a", "Cookie", "sid=b"], ["Host", "a", "Cookie", f"sid={F}"]),
        (["run", "--password", "x"], ["run", "--password", F]),
        ({"name": "Authorization", "value": "x"}, {"name": None, "value": F}),
        ({"shpat_0a1b2c3d4e5f": 1}, {F: 1}),
        (
            ["-----BEGIN PRIVATE KEY-----", "MHcx", "-----END PRIVATE KEY-----", "a"],
            [F, F, None, None],
        ),
    ],
)
def test_secrets_go_from_a_tree(tree: Any, left: Any) -> None:
    before = json.loads(json.dumps(tree))

    after = scrubbed(tree)

    assert after == _filled(left, before)


def _filled(left: Any, before: Any) -> Any:
    """None stands for what stays as it was."""
    if left is None:
        return before
    if isinstance(left, list):
        return [_filled(*pair) for pair in zip(left, before, strict=True)]
    if isinstance(left, dict):
        return {key: _filled(value, before.get(key)) for key, value in left.items()}
    return left


def test_json_in_texts_is_scrubbed_inside_however_deep() -> None:
    text = json.dumps({"a": json.dumps({"b": json.dumps({"token": "x"}), "c": 1})})

    after = json.loads(scrubbed({"body": text})["body"])

    assert json.loads(json.loads(after["a"])["b"]) == {"token": F}
    assert json.loads(after["a"])["c"] == 1


def test_json_without_secrets_is_not_written_anew() -> None:
    text = '{ "author" : "token ring" }'

    assert scrubbed({"body": text})["body"] == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a=1&password=x%20y&b=%41", f"a=1&password={F}&b=%41"),
        ("user%5Bpassword%5D=x", f"user%5Bpassword%5D={F}"),
        ("https://a.example/?session=x#access_token=y", None),
        ("/back?next=%2Fa%3Fsecret%3Dx", f"/back?next=/a?secret%3D{F}"),
        ("note=Bearer%20abc", f"note=Bearer%20{F}"),
        ("code=abc&state=xyz&shop=a", f"code={F}&state=xyz&shop=a"),
        ("code=SUMMER&page=2", "code=SUMMER&page=2"),
        ("note=%7B%22token%22%3A%22x%22%7D", "note=%7B%22token%22:%22[Filtered]%22%7D"),
    ],
)
def test_parameters_are_judged_one_by_one(text: str, left: str | None) -> None:
    left = left or f"https://a.example/?session={F}#access_token={F}"

    assert scrubbed({"url": text})["url"] == left


def test_cookies_are_judged_by_name() -> None:
    tree = {
        "Cookie": "lang=en; sessionid=x; note=Bearer%20abc",
        "cookies": {"lang": "en", "cart": "x"},
        "set-cookie": ["csrftoken=x; Path=/; Secure"],
    }

    assert scrubbed(tree) == {
        "Cookie": f"lang=en; sessionid={F}; note=Bearer%20{F}",
        "cookies": {"lang": "en", "cart": F},
        "set-cookie": [f"csrftoken={F}; Path=/; Secure"],
    }


def test_multipart_bodies_are_judged_part_by_part() -> None:
    text = (
        '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nx y\r\n'
        '--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nz\r\n--b--'
    )

    assert scrubbed({"data": text})["data"] == text.replace("x y", F)


def test_addresses_are_hidden_or_truncated_by_name() -> None:
    tree = {"ip": "203.0.113.9", "X-Forwarded-For": "203.0.113.9, 10.0.0.1", "n": "ip"}

    assert scrubbed(dict(tree), addresses="off") == {
        "ip": F,
        "X-Forwarded-For": F,
        "n": "ip",
    }
    assert scrubbed(dict(tree), addresses="truncated") == {
        "ip": "203.0.113.0",
        "X-Forwarded-For": "203.0.113.0, 10.0.0.0",
        "n": "ip",
    }
    assert scrubbed(dict(tree)) == tree


def test_a_clients_address_goes_from_every_text() -> None:
    run = Run(scrubber_of(Policy(addresses="off")), {"10.0.0.1": F})

    texts = run.tree(["from 10.0.0.1:80", "10.0.0.12", "110.0.0.1", "a.10.0.0.1"], "")

    assert texts == [f"from {F}:80", "10.0.0.12", "110.0.0.1", f"a.{F}"]


def test_kept_names_stay_but_own_names_go() -> None:
    tree = {"api_token_name": "main", "api_token": "x", "parcel_key": "y"}

    assert scrubbed(
        tree,
        kept=("api_token*",),
        keys=(("rule 1", "api_token"), ("rule 2", "parcel*")),
    ) == {"api_token_name": "main", "api_token": F, "parcel_key": F}


def test_places_are_told_without_values() -> None:
    run = Run(scrubber_of(Policy()))

    run.tree({"a": [{"password": "x1"}], "url": "/?token=x2", "n": "token=x3"}, "extra")

    told = [(place.path, place.rule, place.count) for place in run.places.values()]
    assert told == [
        ("extra.a[0].password", "password", 1),
        ("extra.url?token", "token", 1),
        ("extra.n?token", "token", 1),
    ]


def test_what_is_nested_too_deeply_goes() -> None:
    tree: Any = "x"
    for _ in range(400):
        tree = [tree]

    assert "nested too deeply" in {
        place.rule for place in _run_over({"token_ring": 1, "a": tree}).places.values()
    }


def _run_over(tree: Any) -> Run:
    run = Run(scrubber_of(Policy()))
    run.tree(tree, "")
    return run


def test_past_a_number_of_suspicious_texts_the_rest_goes() -> None:
    texts = scrubbed([f"author token {n}" for n in range(3000)])

    assert texts[0] == "author token 0"
    assert texts[-1] == F
