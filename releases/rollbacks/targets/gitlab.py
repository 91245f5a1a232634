"""A GitLab pipeline, started by a trigger token.

docs.gitlab.com/api/pipeline_triggers: 201 with the pipeline. With a second token that
may read the API, a pipeline is found again by its name or by its variables.
"""

from datetime import UTC, timedelta
from urllib.parse import quote, urlencode

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
from tenants.outbound import Request
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

NEEDED = ("project",)
OPTIONS = (*NEEDED, "ref", "variables")
CLOCKS_DIFFER = timedelta(minutes=2)
LOOKED_AT = 10  # pipelines whose variables are read


def problems(access: Access) -> dict[str, str]:
    found = unknown_options(access, OPTIONS) or missing_options(access, NEEDED)
    if not found and not isinstance(access.options.get("variables") or {}, dict):
        found = {"options": 'variables: give an object, such as {"VERSION": "…"}.'}
    if not 1 <= len(access.secret.split()) <= 2:
        found["secret"] = (
            "Give the trigger token; behind it, after a space, a token with read_api "
            "lets a pipeline be found again when an answer was lost."
        )
    return found | open_wire(access)


def preview(access: Access, order: Order) -> str:
    given = variables(access, order).items()
    return (
        f"start a pipeline of {access.option('project')} on {_ref(access)} with "
        + ", ".join(f"{key}={value}" for key, value in given)
    )


def call(access: Access, order: Order) -> Talk[Outcome]:
    risk = risk_of(order)
    if risk:
        return risk
    answer = yield _trigger(access, order, _ref(access))
    outcome = outcome_of(answer)
    run_url = link(part(answer.json(), "web_url"))
    return Outcome(outcome.fate, outcome.told, run_url, outcome.wait, answer)


def probe(access: Access, order: Order) -> Talk[Outcome]:
    """On a branch that is not there, so that nothing runs: GitLab answers 400."""
    answer = yield _trigger(access, order, f"rush-test-{order.key}")
    if answer.status == 400 and "reference" in answer.text.lower():
        told = "The token may start pipelines of this project. Nothing was started."
        return Outcome(Fate.CALLED, f"{told} {quoted(answer)}", answer=answer)
    return Outcome(Fate.REFUSED, quoted(answer), answer=answer)


def looks_up(access: Access) -> bool:
    return bool(_reading_token(access))


def look_up(access: Access, order: Order) -> Talk[Sighting]:
    since = (order.since - CLOCKS_DIFFER).astimezone(UTC)
    query = {
        "source": "trigger",
        "updated_after": f"{since:%Y-%m-%dT%H:%M:%SZ}",
        "per_page": "50",
    }
    headers = {"PRIVATE-TOKEN": _reading_token(access)}
    listed = f"{_project(access)}/pipelines"
    answer = yield Request("GET", f"{listed}?{urlencode(query)}", headers)
    if answer.status != 200:
        return Sighting(False, f"The pipelines cannot be listed: {quoted(answer)}")
    pipelines = [row for row in parts({"all": answer.json()}, "all") if part(row, "id")]
    for row in pipelines:
        if order.key in str(part(row, "name")):
            return _seen(row)
    for row in pipelines[:LOOKED_AT]:
        answer = yield Request("GET", f"{listed}/{row['id']}/variables", headers)
        values = parts({"all": answer.json()}, "all")
        if any(part(variable, "value") == order.key for variable in values):
            return _seen(row)
    return Sighting(
        False, "No pipeline has the rollback's id in its name or variables."
    )


def variables(access: Access, order: Order) -> dict[str, str]:
    """The pipeline's variables: those of the options, filled in, else all we know."""
    known = words(order)
    chosen = access.options.get("variables")
    if not isinstance(chosen, dict) or not chosen:
        return {key.upper(): value for key, value in known.items()}
    filled = {str(key): fill(str(value), known) for key, value in chosen.items()}
    return {"RUSH_ROLLBACK_ID": order.key, **filled}


def _trigger(access: Access, order: Order, ref: str) -> Request:
    form = {"token": access.secret.split()[0], "ref": ref}
    for name, value in variables(access, order).items():
        form[f"variables[{name}]"] = value
    return Request(
        "POST",
        f"{_project(access)}/trigger/pipeline",
        {"Content-Type": "application/x-www-form-urlencoded"},
        urlencode(form).encode(),
    )


def _ref(access: Access) -> str:
    return access.option("ref", "main")


def _project(access: Access) -> str:
    return access.address(
        f"/api/v4/projects/{quote(access.option('project'), safe='')}"
    )


def _reading_token(access: Access) -> str:
    return "".join(access.secret.split()[1:2])


def _seen(pipeline: object) -> Sighting:
    run_url = link(part(pipeline, "web_url"))
    return Sighting(True, f"Its pipeline is there: {part(pipeline, 'id')}", run_url)
