import ast
import json
import re

import pytest

from tenants.snippets import Facts, Platform, Step, ci, platforms
from tenants.snippets.values import QUOTES, filled

ODD = "sh\"o'p\\ <&>$x `id`"


def facts(**fields: str) -> Facts:
    return Facts(
        **{
            "base_url": "https://rush.example/errors",
            "organization": "acme",
            "project_id": 7,
            "slug": "shop",
            "public_key": "k" * 32,
            "dsn": f"https://{'k' * 32}@rush.example/errors/7",
            "tag": "brand",
            **fields,  # type: ignore[arg-type]
        }
    )


def every_step(told: Facts) -> list[Step]:
    return [step for each in platforms(told) for step in each.steps] + ci(told)


def platform(slug: str, **fields: str) -> Platform:
    return next(each for each in platforms(facts(**fields)) if each.slug == slug)


@pytest.mark.parametrize(
    ("language", "literal"),
    [
        ("python", '"a\\"b\'c\\\\d$e"'),
        ("javascript", '"a\\"b\'c\\\\d$e"'),
        ("php", "'a\"b\\'c\\\\d$e'"),
        ("ruby", "'a\"b\\'c\\\\d$e'"),
        ("shell", "'a\"b'\"'\"'c\\d$e'"),
        ("html", '"a&quot;b&#x27;c\\d$e"'),
        ("http", "a\"b'c\\d$e"),
    ],
)
def test_a_value_is_written_as_a_literal_of_the_language(
    language: str, literal: str
) -> None:
    assert QUOTES[language]("a\"b'c\\d$e") == literal


def test_a_place_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError):
        filled(Step("", "python", "<<SHOE>>"), {})


def test_no_place_is_left_empty() -> None:
    for step in every_step(facts()):
        assert "<<" not in step.code + step.note, step


def test_every_platform_names_dsn_release_environment_and_tenant() -> None:
    for each in platforms(facts()):
        text = "\n".join(step.code for step in each.steps)
        wanted = [facts().dsn, "shop@1.0.0", "production", "brand"]
        if each.slug == "curl":
            wanted[0] = "https://rush.example/errors/api/7/store/"
        assert [value for value in wanted if value not in text] == [], each.slug


@pytest.mark.parametrize("slug", ["node", "browser"])
def test_javascript_names_the_tenant_for_spans_too(slug: str) -> None:
    text = "\n".join(step.code for step in platform(slug).steps)

    assert 'Sentry.setTag("brand", tenant)' in text
    assert 'Sentry.setAttributes?.({ "brand": tenant })' in text


def test_python_stays_python_whatever_the_tag_holds() -> None:
    steps = [step for step in every_step(facts(tag=ODD)) if step.language == "python"]

    assert steps
    for step in steps:
        tree = ast.parse(step.code)
        if "set_tag" in step.code:
            values = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
            assert ODD in values


def test_the_event_for_curl_is_json_whatever_the_tag_holds() -> None:
    (step,) = platform("curl", tag="brand<>\"'").steps

    found = re.search(r"-d '(.*)'", step.code, re.DOTALL)
    assert found is not None
    event = json.loads(found[1].replace("'\"'\"'", "'"))
    assert event["tags"] == {"brand<>\"'": "acme.example"}


def test_a_page_is_told_the_origin_without_the_path() -> None:
    policy = next(s.code for s in platform("browser").steps if s.language == "http")

    assert "connect-src 'self' https://rush.example;" in policy
    assert f"/errors/api/7/security/?sentry_key={'k' * 32}" in policy


def test_ci_says_where_the_project_is() -> None:
    text = "\n".join(step.code for step in ci(facts()))

    for line in (
        "export SENTRY_URL=https://rush.example/errors",
        "export SENTRY_ORG=acme",
        "export SENTRY_PROJECT=shop",
        "sourcemaps inject",
        "sourcemaps upload",
        "releases new",
        "set-commits",
        "deploys new",
        "https://rush.example/errors/rush-gate.py",
    ):
        assert line in text
