from typing import Any

import pytest

from issues.admin.stacktrace import LINE_LIMIT, bare_trace, exceptions, threads


def frame(function: str, **fields: Any) -> dict[str, Any]:
    return {"function": function, "filename": "shop.py", "in_app": True, **fields}


def value(type_: str, *frames: dict[str, Any], **mechanism: Any) -> dict[str, Any]:
    return {
        "type": type_,
        "value": "why",
        "mechanism": {"type": "generic", **mechanism},
        "stacktrace": {"frames": list(frames)},
    }


def body(*values: dict[str, Any]) -> dict[str, Any]:
    return {"exception": {"values": list(values)}}


def test_the_raised_exception_leads_and_its_causes_follow() -> None:
    traces = exceptions(body(value("KeyError"), value("PricingError")))

    assert [(t.title, t.relation) for t in traces] == [
        ("PricingError", ""),
        ("KeyError", "caused by"),
    ]


def test_the_newest_call_leads_and_library_frames_stand_in_runs() -> None:
    frames = (
        frame("serve", in_app=False),
        frame("dispatch", in_app=False),
        frame("checkout"),
        frame("convert"),
    )

    (trace,) = exceptions(body(value("KeyError", *frames)))

    runs = [(run.in_app, [f.function for f in run.frames]) for run in trace.runs]
    assert runs == [(True, ["convert", "checkout"]), (False, ["dispatch", "serve"])]


def test_a_trace_without_any_frame_of_the_app_is_shown_whole() -> None:
    (trace,) = exceptions(body(value("KeyError", frame("loop", in_app=False))))

    assert [run.in_app for run in trace.runs] == [True]


def test_an_exception_group_is_a_tree() -> None:
    members = (
        value("OSError", exception_id=3, parent_id=2, source="exceptions[0]"),
        value("Inner", exception_id=2, parent_id=0, is_exception_group=True,
              source="exceptions[1]"),
        value("ValueError", exception_id=1, parent_id=0, source="exceptions[0]"),
        value("Outer", exception_id=0, is_exception_group=True),
    )  # fmt: skip

    traces = exceptions(body(*members))

    assert [(t.title, t.depth, t.relation) for t in traces] == [
        ("Outer", 0, ""),
        ("ValueError", 1, "member 1"),
        ("Inner", 1, "member 2"),
        ("OSError", 2, "member 1"),
    ]


@pytest.mark.parametrize(
    ("source", "relation"),
    [
        ("__cause__", "caused by"),
        ("cause", "caused by"),
        ("__context__", "raised while handling"),
        ("somewhere", "caused by"),
    ],
)
def test_a_numbered_chain_says_how_it_hangs_together(
    source: str, relation: str
) -> None:
    below = value("KeyError", exception_id=1, parent_id=0, source=source)

    traces = exceptions(body(below, value("Raised", exception_id=0)))

    assert [(t.relation, t.depth) for t in traces] == [("", 0), (relation, 0)]


def test_ids_that_form_a_circle_hide_nothing() -> None:
    circle = (
        value("A", exception_id=1, parent_id=2),
        value("B", exception_id=2, parent_id=1),
    )

    assert {t.title for t in exceptions(body(*circle))} == {"A", "B"}


def test_ids_without_a_root_hide_nothing() -> None:
    lonely = (value("A", exception_id=4, parent_id=9), value("B", exception_id=5))

    assert {t.title for t in exceptions(body(*lonely))} == {"A", "B"}


def test_the_same_id_twice_hides_nothing() -> None:
    twins = (value("A", exception_id=1), value("B", exception_id=1))

    assert {t.title for t in exceptions(body(*twins))} == {"A", "B"}


def test_lines_around_the_current_one_are_numbered() -> None:
    source = {
        "lineno": 20,
        "pre_context": ["def convert():", "    key = 1"],
        "context_line": "    rate = RATES[currency]",
        "post_context": ["    return rate"],
    }

    (trace,) = exceptions(body(value("KeyError", frame("convert", **source))))

    lines = trace.runs[0].frames[0].lines
    assert [(line.number, line.current) for line in lines] == [
        ("18", False),
        ("19", False),
        ("20", True),
        ("21", False),
    ]


def test_a_minified_line_is_cut_around_its_column() -> None:
    minified = "a" * 5000 + "BOOM" + "b" * 5000
    source = {"lineno": 1, "colno": 5001, "context_line": minified}

    (trace,) = exceptions(body(value("TypeError", frame("x", **source))))

    line = trace.runs[0].frames[0].lines[0]
    assert line.rest.startswith("BOOM")
    assert len(line.text) + len(line.rest) <= LINE_LIMIT + 2


def test_a_frame_of_a_bundle_is_told_by_its_path() -> None:
    address = "https://track.acme.example/assets/index-Bct.js"

    (trace,) = exceptions(body(value("TypeError", frame("x", filename=address))))

    found = trace.runs[0].frames[0]
    assert (found.place, found.full) == ("/assets/index-Bct.js", address)


def test_deep_recursion_is_cut_in_the_middle() -> None:
    frames = [frame(f"f{i}") for i in range(1000)]

    (trace,) = exceptions(body(value("RecursionError", *frames)))

    shown = [f.function for run in trace.runs for f in run.frames]
    assert (shown[0], shown[-1], trace.left_out) == ("f999", "f0", 880)


def test_the_crashed_thread_leads() -> None:
    stack = {"stacktrace": {"frames": [frame("run")]}}
    values = [{"name": "main", **stack}, {"id": 7, "crashed": True, **stack}]

    found = threads({"threads": {"values": values}})

    assert [(t.title, t.text) for t in found] == [
        ("Thread 7", "crashed"),
        ("Thread main", ""),
    ]


def test_a_bare_stacktrace_is_shown() -> None:
    (trace,) = bare_trace({"stacktrace": {"frames": [frame("run")]}})

    assert trace.runs[0].frames[0].function == "run"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"exception": None},
        {"exception": "boom"},
        {"exception": {"values": [None, 3, "x", {}]}},
        {"exception": [{"type": 5, "value": [1], "stacktrace": "no"}]},
        {"exception": [{"type": "E", "stacktrace": {"frames": {"0": 1}}}]},
        {"exception": [{"stacktrace": {"frames": [None, {"vars": 3, "lineno": "x"}]}}]},
        {"threads": {"values": [{"stacktrace": 1}]}, "stacktrace": []},
    ],
)
def test_any_shape_is_read(payload: dict[str, Any]) -> None:
    exceptions(payload)
    threads(payload)
    assert bare_trace(payload) == []
