"""Every part is scrubbed in its way, and what is derived is made of what is left."""

import copy
from typing import Any

import pytest

from issues.grouping import group
from issues.ingest.envelope import frame
from issues.normal_event import NormalEvent
from issues.scrubbing import Policy, scrub_event, scrubber_of
from tests.issues.test_scrubbing_scrubber import strings_of
from tests.normal_events import normal
from tests.wire import load_all

F = "[Filtered]"
CARD = "4242424242424242"
TOKEN = "shpat_0a1b2c3d4e5f6a7b"
TAGS = ("tenant", "shop")


def scrubbed(
    payload: dict[str, Any], remote_addr: str = "198.51.100.7", **policy: Any
) -> NormalEvent:
    event = normal(payload, remote_addr=remote_addr)
    known = {"tenant_tags": TAGS, "salt": b"salt", **policy}
    scrub_event(event, scrubber_of(Policy(**known)), remote_addr)
    return event


def raised(value: str, **frame: Any) -> dict[str, Any]:
    known = {"function": "quote", "module": "shop.pricing", "filename": "pricing.py"}
    stack = {"frames": [{**known, **frame}]}
    return {"values": [{"type": "ValueError", "value": value, "stacktrace": stack}]}


def test_an_event_without_secrets_is_left_as_it_is() -> None:
    payload = {"message": "no price for order 1001", "extra": {"author": "Ann"}}
    event = normal(payload, header_event_id="a" * 32)
    before = copy.deepcopy(event)

    assert scrub_event(event, scrubber_of(Policy()), "198.51.100.7") is None
    assert event == before


def test_what_the_event_is_called_is_made_of_what_is_left() -> None:
    event = scrubbed(
        {
            "exception": raised(f"card {CARD} declined"),
            "transaction": f"/pay?token={TOKEN}",
            "culprit": f"pay password={TOKEN}",
            "server_name": f"web {TOKEN}",
            "logger": TOKEN,
            "release": TOKEN,
            "environment": TOKEN,
            "dist": TOKEN,
            "platform": TOKEN,
            "fingerprint": ["{{ default }}", TOKEN],
            "request": {"url": f"https://a.example/?token={TOKEN}"},
            "tags": {"a": TOKEN, TOKEN: "b"},
            "contexts": {"browser": {"name": TOKEN}},
            "sdk": {"name": TOKEN, "version": "1"},
        }
    )
    told = group(event, ())

    assert event.exceptions[0].value == f"card {F} declined"
    assert (event.transaction, event.url) == (
        f"/pay?token={F}",
        f"https://a.example/?token={F}",
    )
    assert event.tags == {"a": F, F: "b"}
    assert told.title == f"ValueError: card {F} declined"
    event.body = {}
    assert TOKEN not in repr(event) + repr(told)


def test_the_parts_of_the_grouping_hold_no_secret() -> None:
    event = scrubbed(
        {
            "platform": "javascript",
            "exception": {
                "values": [
                    {
                        "type": "Error",
                        "value": f"token={TOKEN}",
                        "mechanism": {"type": f"auto.{TOKEN}"},
                        "stacktrace": {
                            "frames": [
                                {
                                    "function": TOKEN,
                                    "filename": f"https://a.example/{TOKEN}.js",
                                    "abs_path": f"https://a.example/a.js?sid={TOKEN}",
                                    "context_line": f"fetch('{TOKEN}')",
                                    "in_app": True,
                                }
                            ]
                        },
                    }
                ]
            },
        }
    )

    assert TOKEN not in repr(group(event, ()))
    assert TOKEN not in repr(event)


def test_a_message_and_its_parameters() -> None:
    event = scrubbed(
        {
            "logentry": {
                "message": "password: %s of %s",
                "params": ["hunter2", "ann"],
                "formatted": "password: hunter2 of ann",
            }
        }
    )

    assert event.message == f"password: {F} of ann"
    assert event.message_template == "password: %s of %s"
    assert event.body["logentry"]["params"] == [F, "ann"]


def test_frames_keep_their_names_and_source() -> None:
    event = scrubbed(
        {
            "exception": raised(
                "x",
                function="get_token",
                module="auth.token",
                filename="auth/password=reset.py",
                context_line="    token = request.GET['token']",
                pre_context=["api_key = 'a8f5f167f44f4964e6c998de'", "password = x"],
                vars={"token": "'abc'", "n": "7"},
            )
        }
    )

    [shown] = event.body["exception"]["values"][0]["stacktrace"]["frames"]
    assert shown["function"] == "get_token"
    assert shown["filename"] == "auth/password=reset.py"
    assert shown["context_line"] == "    token = request.GET['token']"
    assert shown["pre_context"] == [f"api_key = '{F}'", "password = x"]
    assert shown["vars"] == {"token": F, "n": "7"}
    assert event.exceptions[0].frames[0].function == "get_token"


def test_a_private_key_told_line_by_line_goes() -> None:
    lines = ["key = '''-----BEGIN PRIVATE KEY-----", "MIIEvQIBAD", "x"]

    event = scrubbed({"exception": raised("x", post_context=lines)})

    [shown] = event.body["exception"]["values"][0]["stacktrace"]["frames"]
    assert shown["post_context"] == [f"key = '''{F}", F, F]


def test_what_finds_source_maps_stays() -> None:
    meta = {
        "images": [
            {
                "type": "sourcemap",
                "code_file": "https://a.example/auth/token.js",
                "debug_id": "42424242-4242-4242-4242-424242424242",
            }
        ]
    }

    event = scrubbed({"debug_meta": meta, "extra": {"token": "x"}})

    assert event.body["debug_meta"] == meta


def test_an_image_and_its_frames_name_one_place() -> None:
    place = "https://a.example/a.js?token=abc"

    event = scrubbed(
        {
            "debug_meta": {"images": [{"type": "sourcemap", "code_file": place}]},
            "exception": raised("x", abs_path=place),
        }
    )

    [image] = event.body["debug_meta"]["images"]
    [shown] = event.body["exception"]["values"][0]["stacktrace"]["frames"]
    assert (
        image["code_file"] == shown["abs_path"] == f"https://a.example/a.js?token={F}"
    )


def test_packages_and_ids_stay() -> None:
    payload = {
        "modules": {"PyJWT": "2.9", "django-oauth-toolkit": "3"},
        "contexts": {
            "trace": {"trace_id": "4" * 32, "span_id": "4242424242424242"},
        },
        "sdk": {"name": "sentry.python", "packages": [{"name": "pypi:oauthlib"}]},
        "release": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "extra": {"password": "x"},
    }

    body = scrubbed(copy.deepcopy(payload)).body

    del payload["extra"], body["extra"]
    assert {key: body[key] for key in payload} == payload


def test_the_tenants_tag_stays_whatever_the_rules() -> None:
    own = {"keys": (("rule 1", "shop"),), "patterns": (("rule 2", "acme"),)}

    event = scrubbed({"tags": {"shop": "acme.example", "note": "acme"}}, **own)  # type: ignore[arg-type]

    assert event.tenant == "acme.example"
    assert event.tags == {"note": F, "shop": "acme.example"}


def test_a_span_attribute_that_names_the_tenant_stays() -> None:
    data = {"shop": {"value": "acme.example"}, "auth": "x"}

    event = scrubbed(
        {"contexts": {"trace": {"data": data}}}, keys=(("rule 1", "shop"),)
    )

    assert event.tenant == "acme.example"
    assert event.body["contexts"]["trace"]["data"] == {
        "auth": F,
        "shop": {"value": "acme.example"},
    }


def test_a_token_is_no_tenant() -> None:
    event = scrubbed({"tags": {"shop": TOKEN}})

    assert (event.tenant, event.tags) == ("", {"shop": F})


@pytest.mark.parametrize(
    ("user", "policy", "identity"),
    [
        ({"id": "7", "email": "ann@b.example"}, {}, "id:7"),
        ({"email": "ann@b.example"}, {}, "email:ann@b.example"),
        ({"ip_address": "203.0.113.9"}, {}, "ip:203.0.113.9"),
        ({"ip_address": "203.0.113.9"}, {"addresses": "truncated"}, "ip:203.0.113.0"),
        ({"ip_address": "203.0.113.9"}, {"addresses": "off"}, ""),
        ({"id": "7", "ip_address": "203.0.113.9"}, {"addresses": "off"}, "id:7"),
    ],
)
def test_who_it_was(
    user: dict[str, str], policy: dict[str, str], identity: str
) -> None:
    assert scrubbed({"user": user}, **policy).user == identity


def test_users_whose_identity_goes_are_still_told_apart() -> None:
    names = [
        scrubbed({"user": {"email": f"{name}@b.example"}}, personal=True).user
        for name in ("ann", "ben", "ann")
    ]

    assert names[0] == names[2] != names[1]
    assert names[0].startswith("email:#")
    assert "ann" not in names[0]


def test_of_a_user_only_the_id_is_not_personal() -> None:
    user = {"id": "7", "username": "ann", "name": "Ann", "email": "ann@b.example"}

    event = scrubbed({"user": user}, personal=True)

    assert event.body["user"] == {"id": "7", "username": F, "name": F, "email": F}


@pytest.mark.parametrize(
    ("addresses", "left"), [("on", None), ("truncated", "203.0.113.0"), ("off", F)]
)
def test_the_clients_address_is_kept_as_the_project_says(
    addresses: str, left: str | None
) -> None:
    address = "203.0.113.9"
    left = left or address
    event = scrubbed(
        {
            "platform": "javascript",
            "message": f"no answer for {address}",
            "user": {"ip_address": "{{auto}}"},
            "request": {
                "headers": {"X-Forwarded-For": address},
                "env": {"REMOTE_ADDR": address},
            },
            "sdk": {"client_ip": address},
            "extra": {"peers": [address, "192.0.2.55"]},
        },
        remote_addr=address,
        addresses=addresses,
    )

    body = event.body
    assert body["user"]["ip_address"] == left
    assert body["request"]["headers"]["X-Forwarded-For"] == left
    assert body["request"]["env"]["REMOTE_ADDR"] == left
    assert body["sdk"]["client_ip"] == left
    assert body["extra"]["peers"] == [left, "192.0.2.55"]
    assert event.message == f"no answer for {left}"


def test_notes_tell_where_and_why_but_no_value() -> None:
    event = scrubbed({"extra": {"a": {"password": "hunter2"}, "cards": [CARD, CARD]}})

    rush = event.body["_rush"]
    assert rush["scrubbed"] == [
        {"path": "extra.a.password", "rule": "password", "count": 1},
        {"path": "extra.cards[0]", "rule": "card", "count": 1},
        {"path": "extra.cards[1]", "rule": "card", "count": 1},
    ]
    assert "3 values replaced by [Filtered]: card (2), password" in rush["notes"][-1]
    assert event.notes == rush["notes"]


def test_notes_of_what_was_cleaned_hold_no_secret() -> None:
    event = scrubbed({"event_id": TOKEN, "tags": {TOKEN: ["x"]}})

    assert any("event_id" in note for note in event.notes)
    assert TOKEN not in repr(event)


def test_a_trimmed_event_keeps_its_tags() -> None:
    tags = {f"t{n}": "x" for n in range(40)} | {"auth": "y"}
    event = scrubbed(
        {"tags": tags, "exception": raised("v" * 8000), "huge": ["x" * 900] * 3000}
    )

    assert len(event.tags) == 41
    assert event.tags["auth"] == F


def test_events_of_real_clients_lose_next_to_nothing() -> None:
    """The bar: at most 1 % of all texts change, rightly changed ones included."""
    texts = changed = 0
    for payload in _recorded_events():
        event = normal(payload)
        before = copy.deepcopy(event.body)
        scrub_event(event, scrubber_of(Policy(tenant_tags=TAGS)), "198.51.100.7")
        event.body.pop("_rush", None)
        before.pop("_rush", None)
        old, new = strings_of(before), strings_of(event.body)
        texts += len(old)
        # What went whole with its parts counts by the parts that are missing.
        changed += len(old) - len(new) + sum(F in text for text in new)
    assert texts > 15_000
    assert 0 < changed / texts < 0.01


def _recorded_events() -> list[bytes]:
    found = []
    for request in load_all():
        if request.target.partition("?")[0].endswith("/envelope/"):
            body = request.plain
            found += [
                body[item.start : item.end]
                for item in frame(body).items
                if item.type == "event"
            ]
    assert len(found) > 100
    return found
