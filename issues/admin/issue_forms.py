"""The forms of the actions on issues, used by the list and by the pages."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db.models import QuerySet

from issues.admin.issue_filters import LocalDateTime
from issues.models import Issue

EXPIRIES = {"24": "in 24 hours", "72": "in 3 days", "168": "in 7 days", "": "never"}


def people() -> QuerySet[User]:
    """Who can be given work."""
    return User.objects.filter(is_active=True, is_staff=True).order_by("username")


class PersonField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A person or nobody; ``offer`` spares the query of the choices."""

    def __init__(self, nobody: str, **kwargs: Any) -> None:
        self.nobody = nobody
        super().__init__(
            User.objects.none(), required=False, empty_label=nobody, **kwargs
        )

    def offer(self, persons: Iterable[User]) -> None:
        named = [(person.pk, person.get_username()) for person in persons]
        self.choices = [("", self.nobody), *named]


class StyledForm(forms.Form):
    """Inputs in the looks of the pages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        # One page may show several of these forms.
        kwargs.setdefault("auto_id", f"{type(self).__name__.lower()}_%s")
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, PersonField):
                field.queryset = people()
            widget = field.widget
            if not isinstance(widget, forms.RadioSelect | forms.CheckboxInput):
                widget.attrs.setdefault("class", "rm-input")


def offer(form: StyledForm, field: str, persons: Iterable[User]) -> None:
    """Fill the choices of a person field from people read once for the page."""
    person = form.fields[field]
    assert isinstance(person, PersonField)
    person.offer(persons)


class NoForm(StyledForm):
    """For actions that need nothing but the issues."""


class ResolveForm(StyledForm):
    how = forms.ChoiceField(
        label="Resolved",
        choices=Issue.Resolution.choices,
        initial=Issue.Resolution.NOW,
        widget=forms.RadioSelect,
        help_text="Events of releases before the fix do not reopen the issue.",
    )
    release = forms.CharField(
        label="Release with the fix",
        required=False,
        max_length=250,
        widget=forms.TextInput(attrs={"list": "releases"}),
    )
    comment = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=10_000
    )


class ArchiveForm(StyledForm):
    until = forms.DateTimeField(
        label="Until (UTC)", required=False, widget=LocalDateTime()
    )
    more_events = forms.IntegerField(
        label="Until this many more events", required=False, min_value=1
    )
    more_tenants = forms.IntegerField(
        label="Until this many more tenants", required=False, min_value=1
    )
    comment = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=10_000
    )


class AssignForm(StyledForm):
    user = PersonField("Nobody", label="Person")


class CommentForm(StyledForm):
    text = forms.CharField(
        label="Comment", widget=forms.Textarea(attrs={"rows": 2}), max_length=10_000
    )


class MergeIntoForm(StyledForm):
    into = forms.CharField(
        label="Issue that shall show this one",
        max_length=100,
        help_text="Its number or short id, such as CHECKOUT-42.",
    )


class UnmergeForm(StyledForm):
    child = forms.IntegerField(min_value=1)


class ListForm(StyledForm):
    reason = forms.CharField(
        label="Why now", max_length=500, widget=forms.Textarea(attrs={"rows": 2})
    )
    owner = PersonField("Nobody yet")
    hours = forms.ChoiceField(
        label="Expires", choices=list(EXPIRIES.items()), initial="72", required=False
    )


class UnlistForm(StyledForm):
    reason = forms.CharField(label="Why", max_length=200)
