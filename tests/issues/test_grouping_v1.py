"""Grouping v1: what counts, what does not, and what it says about it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issues.grouping import LATEST, VERSIONS, Grouping, group
from issues.normal_event import ExceptionValue, Frame, NormalEvent
from tests.issues.grouping_cases import events
from tests.normal_events import event, normal, page_frame, python_frame


def one_issue(*grouped: NormalEvent) -> bool:
    return len({group(each).hash for each in grouped}) == 1


def counted(answer: Grouping) -> list[tuple[str, str]]:
    return [(part.kind, part.text) for part in answer.parts if part.contributes]


def python(*frames: Frame, **fields: Any) -> NormalEvent:
    return event(*(frames or (python_frame(context_line="raise x"),)), **fields)


def page(*frames: Frame, **fields: Any) -> NormalEvent:
    known = {
        "type": "TypeError",
        "value": "Cannot read properties of undefined (reading 'slice')",
        "platform": "javascript",
    }
    return event(*(frames or (page_frame(),)), **{**known, **fields})


# A changed hash here means that every issue of that kind is split: write v2 instead.
PINNED = {
    "checkout": "fd399f038ce0109bfffabffd218d3ee2",
    "shipping": "f4fbb4bd6bdb2e7f508b823ef9e6a555",
    "group": "aab2f41254df68a8867e610447714f45",
    "template": "4c8a376efa94a6dbb705c5828bbb7fe9",
    "log_sync": "ff3ced6a6b09f95bfcb5d22a9bcc4fd8",
    "message_stack": "5cb6c1f41ca22abaae0c10dc1aef5edf",
    "click": "914d4e60f2df41ced9e457ede09e941e",
    "cause": "7105590fa6f5e421e80cc5754d5dcbc4",
    "inline": "c68754222b7c84ab2e532d5bb40ff9cb",
    "rejection_object": "fb150a2dba365223231bb425bf6ff1cf",
    "console": "e15b4d0d79f8706717c94ca02811d3c0",
    "attachment": "248c2b493cbe58e43462da9271cc8c28",
    "express": "aa75353facef202f88186f41f57c08ba",
    "cli_message": "8ca31c935c592f5a3e61ceb67bd875c2",
}


@pytest.mark.parametrize("name", PINNED)
def test_the_version_never_changes_its_answers(name: str) -> None:
    assert group(normal(events()[name])).hash == PINNED[name]


def test_versions_are_known_by_name() -> None:
    assert LATEST in VERSIONS
    assert group(python(), (), "v1").version == "v1"
    with pytest.raises(KeyError):
        group(python(), (), "v0")


@pytest.mark.parametrize(
    "change",
    [
        {"lineno": 99},
        {"abs_path": "/srv/releases/20261124/orders/pricing.py"},
        {"filename": "other.py"},
        {"context_line": "   raise   x "},
    ],
)
def test_lines_and_folders_do_not_count(change: dict[str, Any]) -> None:
    frame = python_frame(context_line="raise x", lineno=12)
    assert one_issue(python(frame), python(replace(frame, **change)))


@pytest.mark.parametrize(
    "change",
    [
        {"function": "refund"},
        {"module": "orders.refunds"},
        {"context_line": "raise y"},
    ],
)
def test_function_module_and_source_line_count(change: dict[str, Any]) -> None:
    frame = python_frame(context_line="raise x", lineno=12)
    assert not one_issue(python(frame), python(replace(frame, **change)))


def test_a_long_source_line_does_not_count() -> None:
    frames = [python_frame(context_line="x" * n) for n in (121, 150, 5000)]
    assert one_issue(*map(python, frames))


def test_the_message_does_not_count_where_frames_tell_the_place() -> None:
    assert one_issue(python(value="order 1 failed"), python(value="carrier is away"))


def test_the_type_counts() -> None:
    assert not one_issue(python(type="KeyError"), python(type="ValueError"))


def test_the_type_of_a_made_up_exception_does_not_count_but_its_message() -> None:
    made_up = [python(type=kind, value="feed is empty") for kind in ("Error", "Other")]
    other = python(value="feed is late")
    for each in (*made_up, other):
        each.exceptions[0].synthetic = True
    assert one_issue(*made_up) and not one_issue(made_up[0], other)


def test_only_in_app_frames_count() -> None:
    library = python_frame("dispatch", module="django.core", in_app=False)
    newer = replace(library, function="dispatch_request")
    own = python_frame()
    assert one_issue(python(library, own), python(newer, own), python(own))


def test_all_frames_count_where_none_is_in_app() -> None:
    library = python_frame("dispatch", module="django.core", in_app=False)
    assert not one_issue(python(library), python(replace(library, function="other")))


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/srv/orders/jobs.py", True),
        ("/usr/lib/python3.11/threading.py", False),
        ("/venv/lib/python3.12/site-packages/celery/app.py", False),
        ("C:\\Python\\Lib\\site-packages\\x.py", False),
        ("<frozen runpy>", False),
    ],
)
def test_unmarked_frames_count_by_their_path(path: str, counts: bool) -> None:
    unmarked = python_frame("run", module="jobs", abs_path=path, in_app=None)
    assert one_issue(
        python(), python(unmarked, python_frame(context_line="raise x"))
    ) != (counts)


def test_a_service_outside_of_the_working_directory_is_told_apart() -> None:
    entry = python_frame("main", module="__main__", filename="run.py")
    sites = [
        python_frame(f"level_{i}", module=f"rush.orders_{i}", in_app=None)
        for i in range(2)
    ]
    assert not one_issue(python(entry, sites[0]), python(entry, sites[1]))


@pytest.mark.parametrize("depth", [1, 2, 30, 200, 999])
def test_recursion_counts_once(depth: int) -> None:
    frames = [python_frame("dive")] * depth
    assert one_issue(python(python_frame("dive")), python(*frames))


@pytest.mark.parametrize("depth", [200, 201, 999])
def test_mutual_recursion_is_one_issue_wherever_it_ends(depth: int) -> None:
    frames = [python_frame(name) for name in ("ping", "pong", "check") * 333]
    entry = python_frame("main")
    assert one_issue(
        python(entry, *frames[:250], type="RecursionError"),
        python(entry, *frames[:depth], type="RecursionError"),
    )


def test_a_deep_stack_without_recursion_counts_whole() -> None:
    frames = [python_frame(f"step_{i}") for i in range(120)]
    assert not one_issue(python(*frames), python(*frames[:-1], python_frame("other")))


def test_the_whole_chain_counts() -> None:
    first, second = python(), python()
    for each, kind in ((first, "KeyError"), (second, "LookupError")):
        cause = ExceptionValue(type=kind, frames=[python_frame("rate")])
        each.exceptions.insert(0, cause)
    assert not one_issue(first, second, python())


def test_a_retry_that_failed_again_is_one_exception() -> None:
    once, thrice = python(), python()
    thrice.exceptions = thrice.exceptions * 3
    assert one_issue(once, thrice)


def grouped(*members: str) -> NormalEvent:
    built = python(type="ExceptionGroup", value=f"{len(members)} failed")
    built.exceptions[0] = replace(built.exceptions[0], exception_id=0, is_group=True)
    built.exceptions[:0] = [
        ExceptionValue(type=kind, value="x", exception_id=i, parent_id=0)
        for i, kind in enumerate(members, start=1)
    ]
    return built


def test_order_and_number_of_a_groups_members_do_not_count() -> None:
    assert one_issue(
        grouped("KeyError", "TimeoutError"),
        grouped("TimeoutError", "KeyError", "TimeoutError"),
    )
    assert not one_issue(grouped("KeyError"), grouped("KeyError", "TimeoutError"))


@pytest.mark.parametrize(
    ("function", "other"),
    [
        ("lambda$handle$0", "lambda$handle$7"),
        ("Orders$$Lambda$14/0x0001.run", "Orders$$Lambda$99/0x7f2a.run"),
        (
            "_app_views_show_erb___1234567890123_70123456",
            "_app_views_show_erb___99887766_5544332",
        ),
        ("orders::ship::h0123456789abcdef", "orders::ship::hfedcba9876543210"),
        ("class@anonymous\ufffd/srv/a.php:3$0", "class@anonymous\ufffd/srv/b.php:9$1"),
    ],
)
def test_counters_that_runtimes_add_do_not_count(function: str, other: str) -> None:
    assert one_issue(
        python(python_frame(function), platform="other"),
        python(python_frame(other), platform="other"),
    )


def test_without_frames_type_and_message_count() -> None:
    def bare(value: str, kind: str = "TimeoutError") -> NormalEvent:
        return event(type=kind, value=value)

    assert one_issue(bare("order 1 late"), bare("order 22 late"))
    assert not one_issue(bare("order 1 late"), bare("order 1 lost"))
    assert not one_issue(bare("order 1 late"), bare("order 1 late", "KeyError"))


@pytest.mark.parametrize("named", ["tenant", "url"])
def test_the_tenants_name_does_not_count_whatever_its_domain(named: str) -> None:
    def bare(shop: str) -> NormalEvent:
        told = {"tenant": shop} if named == "tenant" else {"url": f"https://{shop}/a"}
        return event(value=f"{shop} has no price", **told)

    assert one_issue(bare("nordic.boutique"), bare("fjord-7.fashion"))


def test_a_tenant_whose_name_is_a_word_takes_no_words_away() -> None:
    assert one_issue(
        event(value="price missing", tenant="price"),
        event(value="price missing", tenant="other"),
    )


def message(text: str, template: str = "", **fields: Any) -> NormalEvent:
    return event(exceptions=[], message=text, message_template=template, **fields)


def test_without_exception_the_message_counts() -> None:
    assert one_issue(message("order 1 late"), message("order 22 late"))
    assert not one_issue(message("order 1 late"), message("order 1 lost"))


def test_the_template_of_a_message_counts_instead_of_it() -> None:
    assert one_issue(
        message("sync of Nordic failed", "sync of %s failed"),
        message("sync of Bella failed", "sync of %s failed"),
    )


def test_a_messages_place_counts_too() -> None:
    here, there = (
        message("late", threads_frames=[python_frame(name)]) for name in ("a", "b")
    )
    assert not one_issue(here, there, message("late"))


def test_an_empty_event_is_grouped_by_where_it_came_from() -> None:
    assert one_issue(message(""), message(""))
    assert not one_issue(message(""), message("", logger="orders"))
    assert group(message("")).title == "Event without a message"


# JavaScript


@pytest.mark.parametrize(
    "change",
    [
        {"function": "q"},
        {"function": "HTMLButtonElement.<anonymous>"},
        {"function": "?"},
        {"lineno": 3, "colno": 9},
        {"filename": "https://b.myshopify.com/v2026.11.2/index-Cb9Xjzjg.js?v=2"},
        {"filename": "https://shop-1.example.com/assets/index.min.js"},
    ],
)
def test_what_a_build_or_shop_changes_does_not_count(change: dict[str, Any]) -> None:
    assert one_issue(page(), page(replace(page_frame(), **change)))


@pytest.mark.parametrize(
    "other",
    [
        page(page_frame(filename="https://a.example/assets/cart-Cb9Xjzjg.js")),
        page(page_frame("t.renderCart")),
        page(page_frame(), page_frame(colno=7)),
        page(value="Cannot read properties of undefined (reading 'id')"),
        page(value="Cannot read properties of null (reading 'slice')"),
        page(type="RangeError"),
    ],
)
def test_file_method_depth_and_message_count_in_minified_code(
    other: NormalEvent,
) -> None:
    assert not one_issue(page(), other)


def test_the_handler_that_caught_it_counts_in_minified_code() -> None:
    fetched, requested = page(), page()
    fetched.exceptions[0].mechanism = "auto.http.client.fetch"
    requested.exceptions[0].mechanism = "auto.http.client.xhr"
    assert not one_issue(fetched, requested)


def test_the_sdks_own_chunk_does_not_count() -> None:
    sdk = page_frame(
        "HTMLButtonElement.r", filename="https://a.example/assets/sentry-C-jc_N-7.js"
    )
    assert one_issue(page(), page(sdk, page_frame()))


def test_native_frames_do_not_count() -> None:
    native = Frame(function="Array.map", filename="<anonymous>", in_app=True)
    assert one_issue(page(page_frame()), page(native, page_frame()))


def mapped(line: str = "  return shipment.events.slice();", **fields: Any) -> Frame:
    known: dict[str, Any] = {
        "filename": "../../src/timeline.js",
        "context_line": line,
        "mapped": True,
    }
    return page_frame(**{**known, **fields})


def test_mapped_frames_tell_the_place_alone() -> None:
    assert one_issue(
        page(mapped()),
        page(mapped(function="latestEvent", lineno=40), value="something else"),
        page(page_frame("x", filename="https://a.example/sentry.js"), mapped()),
    )
    assert not one_issue(page(mapped()), page(mapped("  return null;")))


def test_packages_in_mapped_stacks_are_not_own_code() -> None:
    package = mapped("fn.apply(this)", filename="../node_modules/react-dom/index.js")
    assert one_issue(page(mapped()), page(package, mapped()))


def test_a_page_with_inline_script_is_one_place_whatever_its_path() -> None:
    first, second = (
        page(page_frame("legacyTracker", filename=f"https://{place}", lineno=8))
        for place in ("a.example/order/1001", "b.example/pages/track.html?id=2")
    )
    assert one_issue(first, second)


# SDK fingerprints


def test_the_sdks_fingerprint_counts_instead_of_the_place() -> None:
    here, there = (
        python(python_frame(name), fingerprint=["carrier-dhl"]) for name in ("a", "b")
    )
    assert one_issue(here, there)
    assert not one_issue(here, python(python_frame("a"), fingerprint=["carrier-ups"]))


@pytest.mark.parametrize(
    "default", ["{{ default }}", "{{default}}", " {{  default }} "]
)
def test_the_default_fingerprint_changes_nothing(default: str) -> None:
    assert one_issue(python(), python(fingerprint=[default]))


def test_the_default_fingerprint_can_be_divided() -> None:
    divided = python(fingerprint=["{{ default }}", "dhl"])
    assert not one_issue(python(), divided)
    elsewhere = python(python_frame("other"), fingerprint=["{{ default }}", "dhl"])
    assert not one_issue(divided, elsewhere)


def test_a_message_as_fingerprint_loses_its_numbers() -> None:
    assert one_issue(
        *(python(value=f"order {i}", fingerprint=[f"order {i}"]) for i in (1, 22))
    )


# What it says


def test_the_parts_tell_what_counted() -> None:
    answer = group(normal(events()["checkout"]))
    assert counted(answer)[:2] == [
        ("type", "KeyError"),
        ("frame", "orders.pricing in quote: return order_total(order)"),
    ]
    assert ("value", "no price for order 1001") not in counted(answer)
    assert any(not part.contributes for part in answer.parts)


def test_minified_parts_tell_no_shortened_names() -> None:
    answer = group(page(page_frame("x"), page_frame("t.hoursLeft")))
    assert [text for kind, text in counted(answer) if kind == "frame"] == [
        "index.js",
        "index.js in hoursLeft",
    ]


@pytest.mark.parametrize(
    ("grouped_event", "reason"),
    [
        (python(), "PricingError raised through the same 1 frame."),
        (
            page(),
            "TypeError, its message and 1 frame: without source lines the frames of "
            "minified code alone say too little.",
        ),
        (
            event(),
            "Type and message without their variable parts: no frame tells a place.",
        ),
        (message("late"), "The message without its variable parts."),
        (message(""), "The event has neither exception nor message."),
        (python(fingerprint=["a", "b"]), "The SDK sent the fingerprint “a, b”."),
    ],
)
def test_the_reason_is_one_sentence(grouped_event: NormalEvent, reason: str) -> None:
    assert group(grouped_event).reason == reason


@pytest.mark.parametrize(
    ("grouped_event", "title"),
    [
        (python(value="\n no price \nmore"), "PricingError: no price"),
        (python(value=""), "PricingError"),
        (python(type="", value="late"), "late"),
        (message("order 1 is late\nat once"), "order 1 is late"),
        (message("", transaction="/checkout"), "/checkout"),
    ],
)
def test_the_title_is_type_and_first_line(
    grouped_event: NormalEvent, title: str
) -> None:
    assert group(grouped_event).title == title


def test_titles_are_cut() -> None:
    title = group(python(value="x" * 500)).title
    assert len(title) == 200 and title.endswith("…")


@pytest.mark.parametrize(
    ("fields", "culprit"),
    [
        ({"culprit": "img-src", "transaction": "/a"}, "img-src"),
        ({"transaction": "/api/checkout/"}, "/api/checkout/"),
        ({}, "orders.pricing in quote"),
    ],
)
def test_the_culprit_is_the_transaction_or_the_place(
    fields: dict[str, Any], culprit: str
) -> None:
    assert group(python(**fields)).culprit == culprit


def test_parts_are_bounded() -> None:
    frames = [python_frame(f"step_{i}") for i in range(250)]
    assert len(group(python(*frames)).parts) <= 60


@given(st.data())
def test_any_event_gets_a_fingerprint(data: st.DataObject) -> None:
    text = st.text(max_size=12)
    frame = st.builds(
        Frame, text, text, text, text, text, in_app=st.sampled_from([None, True])
    )
    exception = st.builds(
        ExceptionValue,
        text,
        text,
        frames=st.lists(frame, max_size=3),
        exception_id=st.none() | st.integers(0, 3),
        parent_id=st.none() | st.integers(0, 3),
        is_group=st.booleans(),
        synthetic=st.booleans(),
        mechanism=text,
    )
    made = event(
        exceptions=data.draw(st.lists(exception, max_size=3)),
        threads_frames=data.draw(st.lists(frame, max_size=2)),
        message=data.draw(text),
        fingerprint=data.draw(st.lists(text | st.just("{{ default }}"), max_size=2)),
        platform=data.draw(st.sampled_from(["python", "javascript", "java"])),
    )
    answer = group(made)
    assert int(answer.hash, 16) >= 0 and len(answer.hash) == 32
    assert answer.title and len(answer.title) <= 200 and len(answer.reason) <= 300
    assert group(made) == answer
