"""Messages without what differs from one occurrence to the next."""

from time import process_time

import pytest

from issues.grouping.javascript import one_wording, readable_name
from issues.grouping.parameterise import parameterise


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("no price for order 1001", "no price for order <int>"),
        (
            "sync failed for order-77 after 3 tries",
            "sync failed for order-<int> after <int> tries",
        ),
        ("order #1234 and #EU-1001", "order <order> and <order>"),
        ("in nordic-gear.myshopify.com", "in <shop>"),
        ("for shop-3.example.com.", "for <hostname>."),
        ("gid://shopify/Order/5312345 gone", "<gid Order> gone"),
        ("gid://shopify/Product/5312345 gone", "<gid Product> gone"),
        (
            "GET https://a.b/c?x=1, then (http://q.example/x).",
            "GET <url>, then (<url>).",
        ),
        ("mail to mia@example.com failed", "mail to <email> failed"),
        ("from 10.2.3.4:80 or fe80::1ff:fe23:4567:890a", "from <ip> or <ip>"),
        ("Foo::bar failed", "Foo::bar failed"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id <uuid>"),
        (
            "trace 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "trace <trace>",
        ),
        ("md5 d41d8cd98f00b204e9800998ecf8427e", "md5 <hex>"),
        ("at 0x7f55cd0f1fd0 in 3f2a9c1", "at <hex> in <hex>"),
        ("at 2026-11-23T09:00:00.123Z and 2026-11-23", "at <date> and <date>"),
        ("Mon, 23 Nov 2026 09:00:00 GMT passed", "<date> passed"),
        ("took 12.5ms, 30s, 5 minutes", "took <duration>, <duration>, <duration>"),
        ("parcel 1Z999AA10123456784", "parcel <tracking>"),
        ("parcel RR123456789CN", "parcel <tracking>"),
        ("parcel 9400110200881234567890", "parcel <int>"),
        ("token cus_9s6XKzkNRiz8i3Ab", "token <random>"),
        ("/tmp/tmpab12/x.csv is missing", "<path> is missing"),
        ("50% of €12.50 and -3.5 or 1e5", "<int>% of €<float> and <float> or <float>"),
        ("value -5, x-7", "value <int>, x-<int>"),
        ("carrier='dhl' retry=true n=5", "carrier=<quoted> retry=<bool> n=<int>"),
        ("módulo 3", "módulo <int>"),
        ("first 1\n\n second 2 \nthird 3", "first <int>\nsecond <int>"),
        ("", ""),
    ],
)
def test_what_varies_is_replaced(message: str, expected: str) -> None:
    assert parameterise(message) == expected


@pytest.mark.parametrize(
    "message",
    [
        "Cannot read properties of undefined (reading 'orders17')",
        "'customer_address_line_2'",
        "getUserByIdFromCacheV2 failed",
        "HTTP Client Error with status code: 500",
        "Request failed with status code 404",
        "[Errno 2] No such file or directory: '/srv/orders/import.csv'",
        "this.items.map is not a function",
        "order.items.com(x)",
        "queue is gone",
        "'CHF'",
    ],
)
def test_what_tells_faults_apart_stays(message: str) -> None:
    assert parameterise(message) == message


def test_replacing_twice_changes_nothing() -> None:
    once = parameterise(
        "order 1 of a.myshopify.com at 2026-11-23, #7, 30s, 0xff, a@b.co"
    )
    assert parameterise(once) == once


@pytest.mark.parametrize(
    "hostile",
    [
        "1",
        "a.",
        "1.",
        "a-",
        "x@",
        "=",
        "'",
        ":",
        "ab:",
        "/tmp/",
        "A1a",
        "00-",
        "1 ",
        "#1",
        "aa_",
        "0x",
        "Mon ",
        "-1",
        "a.b@",
        "gid://a/b/",
        "1Z",
        "2026-",
        "http://",
        "\ud83d",
    ],
)
def test_no_message_takes_long(hostile: str) -> None:
    start = process_time()
    parameterise(hostile * 5000)
    one_wording(hostile * 5000)
    readable_name(hostile * 5000)
    assert process_time() - start < 0.1


@pytest.mark.parametrize(
    "wordings",
    [
        (
            "Cannot read properties of undefined (reading 'slice')",
            "Cannot read property 'slice' of undefined",
            "undefined is not an object (evaluating 'e.events.slice')",
            "undefined is not an object (evaluating 't[0].events.slice()')",
            'can\'t access property "slice", e.events is undefined',
        ),
        (
            "t.deliverMessage is not a function",
            "{(intermediate value)}.deliverMessage is not a function",
            "(0 , r.deliverMessage) is not a function",
            "e.deliverMessage is not a function. (In 'e.deliverMessage(1)', "
            "'e.deliverMessage' is undefined)",
        ),
        ("t is not a function", "e is not a function", "qe is not a function"),
        ("t is not a constructor", "e is not a constructor"),
        ("t is not iterable", "e is not iterable"),
        ("e is null", "t is null"),
        (
            "Cannot destructure property 'slice' of 'e' as it is undefined.",
            "Cannot read properties of undefined (reading 'slice')",
        ),
        (
            "Cannot access 'e' before initialization",
            "Cannot access 'qt' before initialization",
            "can't access lexical declaration 't' before initialization",
        ),
        ("foo is not defined", "Can't find variable: foo"),
        (
            "Failed to fetch",
            "Failed to fetch (api.example.com)",
            "Load failed",
            "NetworkError when attempting to fetch resource.",
        ),
        (
            "Failed to fetch dynamically imported module: https://a.example/x-1.js",
            "Importing a module script failed.",
            "error loading dynamically imported module: https://b.example/y.js",
            "Loading chunk 12 failed.\n(error: https://c.example/12.js)",
        ),
        (
            "Unexpected token '<', \"<html>1001\" is not valid JSON",
            "Unexpected token < in JSON at position 0",
            "JSON.parse: unexpected character at line 1 column 1 of the JSON data",
            "JSON Parse error: Unrecognized token '<'",
        ),
        ("Maximum call stack size exceeded", "too much recursion"),
    ],
)
def test_browsers_say_the_same_in_different_words(wordings: tuple[str, ...]) -> None:
    assert len(set(map(one_wording, wordings))) == 1


def test_different_failures_keep_different_words() -> None:
    messages = [
        "Cannot read properties of undefined (reading 'slice')",
        "Cannot read properties of null (reading 'slice')",
        "Cannot read properties of undefined (reading 'map')",
        "slice is not a function",
        "slice is not defined",
        "$ is not defined",
        "$ is not a function",
        "t is not a function",
        "t.slice is undefined",
        "Failed to fetch",
        "Failed to fetch dynamically imported module: x",
        "no slice for you",
    ]
    assert len(set(map(one_wording, messages))) == len(messages)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("a.hoursLeft", "hoursLeft"),
        ("Object.apply", "apply"),
        ("HTMLButtonElement.onclick", "onclick"),
        ("async loadOrder", "loadOrder"),
        ("new OrderView", "OrderView"),
        ("renderTimeline/<", "renderTimeline"),
        ("renderTimeline [as render]", "renderTimeline"),
        ("Object.fault-429", "fault-429"),
        ("HTMLButtonElement.<anonymous>", ""),
        ("Array.map", ""),
        ("Object.t [as preview]", ""),
        ("e.exports", ""),
        ("t.default", ""),
        ("global code", ""),
        ("5573", ""),
        ("S0", ""),
        ("?", ""),
        ("", ""),
    ],
)
def test_only_names_that_last_count(function: str, name: str) -> None:
    assert readable_name(function) == name
