"""What can be done to issues, from the list's bulk bar and from an issue's page.

An action is a form and a step of the workflow; the step's refusal is shown as it is.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from issues import hitlist, merging, workflow
from issues.admin import issue_forms as forms
from issues.models import HitListEntry, Issue
from releases.models import Release
from tenants.audit import Actor
from tenants.audited import may, row_id
from tenants.refusals import Refusal

Issues = Sequence[Issue]
Given = dict[str, Any]

CHANGE = "issues.change_issue"


@dataclass(frozen=True, slots=True)
class Action:
    """``run`` does it and returns what to tell; ``permission`` is who may."""

    form: type[forms.StyledForm]
    run: Callable[[Issues, Actor, Given], str]
    permission: str = CHANGE


def perform(request: HttpRequest, name: str, issues: Issues) -> bool:
    """Do the posted action to the issues and tell the outcome; True when done.

    Raises PermissionDenied for people whose role does not allow it.
    """
    action = ACTIONS[name]
    if not may(request, action.permission):
        raise PermissionDenied
    form = action.form(request.POST)
    if not form.is_valid():
        for field, errors in form.errors.items():
            label = form.fields[field].label or field.capitalize()
            messages.error(request, f"{label}: {' '.join(map(str, errors))}")
        return False
    try:
        # All of the chosen issues, or none.
        with transaction.atomic():
            told = action.run(issues, Actor.of(request), form.cleaned_data)
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return False
    messages.success(request, told)
    return True


def _counted(issues: Issues) -> str:
    return issues[0].short_id if len(issues) == 1 else f"{len(issues)} issues"


def _resolve(issues: Issues, actor: Actor, given: Given) -> str:
    how = Issue.Resolution(given["how"])
    release = None
    if how == Issue.Resolution.IN_RELEASE:
        release = _release(issues[0].project_id, given["release"])
    workflow.resolve(
        issues, actor, how=how, release=release, comment=given.get("comment", "")
    )
    return f"Resolved {_counted(issues)} {how.label}."


def _resolve_as(how: Issue.Resolution) -> Callable[[Issues, Actor, Given], str]:
    return lambda issues, actor, given: _resolve(issues, actor, {"how": how})


def _release(project_id: int, version: str) -> Release | None:
    if not version:
        return None
    release = Release.objects.filter(project=project_id, version=version).first()
    if release is None:
        raise Refusal(
            f"Release {version} is not known in this project. Choose one of the list, "
            "or let CI create it first."
        )
    return release


def _reopen(issues: Issues, actor: Actor, given: Given) -> str:
    workflow.reopen(issues, actor)
    return f"Reopened {_counted(issues)}."


def _archive(issues: Issues, actor: Actor, given: Given) -> str:
    workflow.archive(issues, actor, **given)
    return f"Archived {_counted(issues)}."


def _archive_for_good(issues: Issues, actor: Actor, given: Given) -> str:
    workflow.archive(issues, actor)
    return f"Archived {_counted(issues)}."


def _assign(issues: Issues, actor: Actor, given: Given) -> str:
    workflow.assign(issues, actor, given["user"])
    return f"Assigned {_counted(issues)} to {given['user'] or 'nobody'}."


def _assign_me(issues: Issues, actor: Actor, given: Given) -> str:
    workflow.assign(issues, actor, actor.user)
    return f"Assigned {_counted(issues)} to you."


def _comment(issues: Issues, actor: Actor, given: Given) -> str:
    workflow.comment(issues[0], actor, given["text"])
    return "Comment added."


def _merge(issues: Issues, actor: Actor, given: Given) -> str:
    """The issue of highest impact shows the others: it comes first in ``issues``."""
    root = merging.merge(issues[0], issues[1:], actor)
    return f"Merged {_counted(issues[1:])} into {root.short_id}."


def _merge_into(issues: Issues, actor: Actor, given: Given) -> str:
    target = _named(given["into"])
    root = merging.merge(target, issues, actor)
    return f"Merged {_counted(issues)} into {root.short_id}."


def named_issue(text: str) -> Issue | None:
    """The issue of a number or a short id such as CHECKOUT-42."""
    number = re.search(r"(\d+)\s*\Z", text)
    issues = Issue.objects.select_related("project", "stats")
    return issues.filter(pk=row_id(number[1])).first() if number else None


def _named(text: str) -> Issue:
    issue = named_issue(text)
    if issue is None:
        raise Refusal(f"No issue is called {text}. Copy its short id from the list.")
    return issue


def _unmerge(issues: Issues, actor: Actor, given: Given) -> str:
    child = Issue.objects.filter(pk=given["child"], merged_into=issues[0]).first()
    if child is None:
        raise Refusal("This issue is not merged here any more.")
    merging.unmerge(child, actor)
    return f"{child.short_id} stands for itself again."


def _list(issues: Issues, actor: Actor, given: Given) -> str:
    expires_at: datetime | None = None
    if given["hours"]:
        expires_at = timezone.now() + timedelta(hours=int(given["hours"]))
    for issue in issues:
        hitlist.add(
            issue,
            actor,
            owner=given["owner"],
            reason=given["reason"],
            expires_at=expires_at,
        )
    return f"Put {_counted(issues)} on the hit list."


def _unlist(issues: Issues, actor: Actor, given: Given) -> str:
    entry = HitListEntry.objects.filter(issue=issues[0], removed_at=None).first()
    if entry is None:
        raise Refusal("This issue is not on the hit list any more.")
    hitlist.remove(entry, actor, given["reason"])
    return f"Took {_counted(issues)} off the hit list."


ACTIONS = {
    "resolve": Action(forms.ResolveForm, _resolve),
    "resolve-now": Action(forms.NoForm, _resolve_as(Issue.Resolution.NOW)),
    "resolve-next": Action(forms.NoForm, _resolve_as(Issue.Resolution.IN_NEXT_RELEASE)),
    "reopen": Action(forms.NoForm, _reopen),
    "archive": Action(forms.ArchiveForm, _archive),
    "archive-for-good": Action(forms.NoForm, _archive_for_good),
    "assign": Action(forms.AssignForm, _assign),
    "assign-me": Action(forms.NoForm, _assign_me),
    "comment": Action(forms.CommentForm, _comment),
    "merge": Action(forms.NoForm, _merge),
    "merge-into": Action(forms.MergeIntoForm, _merge_into),
    "unmerge": Action(forms.UnmergeForm, _unmerge),
    "list": Action(forms.ListForm, _list, "issues.add_hitlistentry"),
    "unlist": Action(forms.UnlistForm, _unlist, "issues.delete_hitlistentry"),
}
# The bulk bar's buttons: the others need one issue's page.
BULK = (
    "resolve-now",
    "resolve-next",
    "archive-for-good",
    "reopen",
    "assign-me",
    "merge",
    "list",
)
