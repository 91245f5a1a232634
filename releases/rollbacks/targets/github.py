"""A GitHub Actions workflow, started by ``workflow_dispatch``.

docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event: 204, or with
``return_run_details`` (since February 2026) 200 with the run's id and address. A run is
found again by its name, which the workflow must set to hold the rollback's id.
"""

from collections.abc import Mapping
from datetime import UTC, timedelta
from urllib.parse import quote, urlencode

import orjson

from releases.rollbacks.targets.order import (
    Access,
    Order,
    fill,
    missing_options,
    open_wire,
    risk_of,
    unknown_options,
    words,
)
from tenants.outbound import Answer, Request
from tenants.talks import (
    Fate,
    Outcome,
    Sighting,
    Talk,
    link,
    outcome_of,
    part,
    parts,
    quoted,
)

API_VERSION = "2022-11-28"
NEEDED = ("repository", "workflow")
OPTIONS = (*NEEDED, "ref", "inputs", "return_run_details")
CLOCKS_DIFFER = timedelta(minutes=2)


def problems(access: Access) -> dict[str, str]:
    found = unknown_options(access, OPTIONS) or missing_options(access, NEEDED)
    if not found and access.option("repository").count("/") != 1:
        found = {"options": "Write the repository as owner/name."}
    if not found and not isinstance(access.options.get("inputs") or {}, dict):
        found = {"options": 'inputs: give an object, such as {"version": "…"}.'}
    if not access.secret:
        found["secret"] = "Give a token that may write actions of the repository."
    return found | open_wire(access)


def preview(access: Access, order: Order) -> str:
    given = ", ".join(f"{key}={value}" for key, value in inputs(access, order).items())
    return (
        f"start the workflow {access.option('workflow')} of "
        f"{access.option('repository')} on {_ref(access)} with {given}"
    )


def call(access: Access, order: Order) -> Talk[Outcome]:
    risk = risk_of(order)
    if risk:
        return risk
    answer = yield _dispatch(access, order, _ref(access))
    if _is_limited(answer):
        return Outcome(Fate.LATER, quoted(answer), wait=60, answer=answer)
    outcome = outcome_of(answer)
    run_url = link(part(answer.json(), "html_url"))
    return Outcome(outcome.fate, outcome.told, run_url, outcome.wait, answer)


def probe(access: Access, order: Order) -> Talk[Outcome]:
    """On a branch that is not there, so that nothing runs: GitHub answers 422."""
    answer = yield _dispatch(access, order, f"rush-test-{order.key}")
    if answer.status == 422 and "ref" in answer.text.lower():
        told = "The token may start this workflow. Nothing was started."
        return Outcome(Fate.CALLED, f"{told} {quoted(answer)}", answer=answer)
    return Outcome(Fate.REFUSED, quoted(answer), answer=answer)


def looks_up(access: Access) -> bool:
    return True


def look_up(access: Access, order: Order) -> Talk[Sighting]:
    since = (order.since - CLOCKS_DIFFER).astimezone(UTC)
    query = {
        "event": "workflow_dispatch",
        "created": f">={since:%Y-%m-%dT%H:%M:%SZ}",
        "per_page": "100",
    }
    path = f"{_workflow(access)}/runs?{urlencode(query)}"
    answer = yield Request("GET", access.address(path), _headers(access))
    if answer.status != 200:
        return Sighting(False, f"The runs cannot be listed: {quoted(answer)}")
    for run in parts(answer.json(), "workflow_runs"):
        name = f"{part(run, 'display_title')} {part(run, 'name')}"
        if order.key in name:
            return Sighting(
                True, f"Its run is there: {name}", link(part(run, "html_url"))
            )
    return Sighting(False, "No run of the workflow has the rollback's id in its name.")


def inputs(access: Access, order: Order) -> dict[str, str]:
    """The workflow's inputs: those of the options, filled in, else all that we know."""
    known = words(order)
    chosen = access.options.get("inputs")
    if not isinstance(chosen, Mapping) or not chosen:
        return known
    filled = {str(key): fill(str(value), known) for key, value in chosen.items()}
    return {"rush_rollback_id": order.key, **filled}


def _dispatch(access: Access, order: Order, ref: str) -> Request:
    body: dict[str, object] = {"ref": ref, "inputs": inputs(access, order)}
    if access.options.get("return_run_details", True):
        body["return_run_details"] = True
    return Request(
        "POST",
        access.address(f"{_workflow(access)}/dispatches"),
        {**_headers(access), "Content-Type": "application/json"},
        orjson.dumps(body),
    )


def _ref(access: Access) -> str:
    return access.option("ref", "main")


def _workflow(access: Access) -> str:
    repository = quote(access.option("repository"))
    workflow = quote(access.option("workflow"), safe="")
    return f"/repos/{repository}/actions/workflows/{workflow}"


def _headers(access: Access) -> dict[str, str]:
    return {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {access.secret}",
        "X-GitHub-Api-Version": API_VERSION,
    }


def _is_limited(answer: Answer) -> bool:
    """Whether a 403 is GitHub's way to say 429."""
    spent = answer.headers.get("x-ratelimit-remaining") == "0"
    return answer.status == 403 and (spent or "retry-after" in answer.headers)
