"""What can be done to an incident from its page: a form and a step."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone

from issues.admin.issue_actions import named_issue
from issues.admin.issue_forms import AssignForm, NoForm, StyledForm
from issues.incidents import steps, summarising
from issues.incidents.by_hand import open_by_hand
from issues.models import Incident, Severity
from tenants.audit import Actor
from tenants.audited import may
from tenants.models import Project
from tenants.refusals import Refusal

Given = dict[str, Any]
Run = Callable[[Incident, Actor, datetime, Given], str]
CHANGE = "issues.change_incident"
ADD = "issues.add_incident"
NOTHING = "Nothing to do: it is {state} already."


def _text_field(label: str, *, required: bool = False) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 3})
    return forms.CharField(
        label=label, required=required, max_length=10_000, widget=widget
    )


class SayForm(StyledForm):
    text = _text_field("What happened")


class NoteForm(StyledForm):
    text = _text_field("Note", required=True)


class SummaryForm(StyledForm):
    text = forms.CharField(
        label="Summary",
        required=False,
        max_length=summarising.LONGEST,
        widget=forms.Textarea(attrs={"rows": 18}),
        help_text="Empty: it is written from the data again.",
    )


class ChangeForm(StyledForm):
    title = forms.CharField(max_length=200)
    severity = forms.ChoiceField(choices=Severity.choices)
    target_seconds = forms.IntegerField(
        label="Target in seconds",
        required=False,
        min_value=1,
        max_value=31_536_000,
        help_text="Empty: that of the severity's policy where it changes.",
    )


class JoinForm(StyledForm):
    issue = forms.CharField(
        max_length=100, help_text="Its number or short id, such as CHECKOUT-42."
    )


class OpenForm(StyledForm):
    title = forms.CharField(label="What burns", max_length=200)
    severity = forms.ChoiceField(choices=Severity.choices, initial=Severity.HIGH)
    project = forms.ModelChoiceField(
        Project.objects.order_by("name"), required=False, empty_label="Several or none"
    )
    text = _text_field("What is known")


@dataclass(frozen=True, slots=True)
class Action:
    """``run`` does it and returns what to tell."""

    form: type[StyledForm]
    run: Run


def perform(request: HttpRequest, name: str, incident: Incident) -> None:
    """Do the posted action and tell the outcome; raises PermissionDenied."""
    if not may(request, CHANGE):
        raise PermissionDenied
    action = ACTIONS[name]
    given = checked(request, action.form)
    if given is None:
        return
    actor, now = Actor.of(request), timezone.now()
    try:
        messages.success(request, action.run(incident, actor, now, given))
    except Refusal as refusal:
        messages.error(request, str(refusal))


def open_posted(request: HttpRequest) -> Incident | None:
    """The incident that the posted form opens; raises PermissionDenied."""
    if not may(request, ADD):
        raise PermissionDenied
    given = checked(request, OpenForm)
    if given is None:
        return None
    try:
        incident, _ = open_by_hand(Actor.of(request), timezone.now(), **given)
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return None
    messages.success(request, f"Opened {incident}.")
    return incident


def checked(request: HttpRequest, form_class: type[StyledForm]) -> Given | None:
    """The posted form's values; None, and messages, where it is wrong."""
    form = form_class(request.POST)
    if form.is_valid():
        return form.cleaned_data
    for field, errors in form.errors.items():
        label = form.fields[field].label or field.capitalize()
        messages.error(request, f"{label}: {' '.join(map(str, errors))}")
    return None


def _step(do: Callable[..., bool], told: str, *names: str) -> Run:
    """A step that takes the named values of its form."""

    def run(incident: Incident, actor: Actor, now: datetime, given: Given) -> str:
        done = do(incident, actor, now, *(given[name] for name in names))
        if done:
            return told
        state = Incident.objects.get(pk=incident.pk).state
        return NOTHING.format(state=state)

    return run


def _assign(incident: Incident, actor: Actor, now: datetime, given: Given) -> str:
    steps.assign(incident, given["user"], actor, now)
    return f"Assigned to {given['user'] or 'nobody'}."


def _note(incident: Incident, actor: Actor, now: datetime, given: Given) -> str:
    steps.add_note(incident, actor, now, given["text"])
    return "Noted."


def _summary(incident: Incident, actor: Actor, now: datetime, given: Given) -> str:
    done = summarising.edit(incident, actor, now, given["text"])
    return "The summary is kept as you wrote it." if done else "Nothing was changed."


def _rewrite(incident: Incident, actor: Actor, now: datetime, given: Given) -> str:
    summarising.rewrite(incident, actor, now)
    return "The summary is written from the data of now."


def _change(incident: Incident, actor: Actor, now: datetime, given: Given) -> str:
    # As shown it says nothing: another severity brings its policy's target.
    if given["target_seconds"] == incident.target_seconds:
        given = {**given, "target_seconds": None}
    done = steps.change(incident, actor, now, **given)
    return "Changed." if done else "Nothing was changed."


def _join(incident: Incident, actor: Actor, now: datetime, given: Given) -> str:
    issue = named_issue(given["issue"])
    if issue is None:
        raise Refusal(f"No issue is called {given['issue']}.")
    joined = steps.join_issues(incident, [issue.pk], actor, now)
    return f"{issue.short_id} {'joined' if joined else 'is in it already'}."


def _leave(incident: Incident, actor: Actor, now: datetime, given: Given) -> str:
    issue = named_issue(given["issue"])
    if issue is None or not steps.remove_issue(incident, issue, actor, now):
        raise Refusal("This issue is not in the incident any more.")
    return f"{issue.short_id} taken out."


ACTIONS = {
    "acknowledge": Action(NoForm, _step(steps.acknowledge, "Acknowledged.")),
    "mitigate": Action(SayForm, _step(steps.mitigate, "The clock stands.", "text")),
    "resolve": Action(SayForm, _step(steps.resolve, "Resolved.", "text")),
    "reopen": Action(SayForm, _step(steps.reopen, "The clock runs on.", "text")),
    "assign": Action(AssignForm, _assign),
    "note": Action(NoteForm, _note),
    "summary": Action(SummaryForm, _summary),
    "rewrite-summary": Action(NoForm, _rewrite),
    "change": Action(ChangeForm, _change),
    "join": Action(JoinForm, _join),
    "remove-issue": Action(JoinForm, _leave),
}
