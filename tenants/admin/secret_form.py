"""Forms of rows with a secret: it goes in and never comes out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms

from tenants.secrets import encrypt

if TYPE_CHECKING:
    from django.forms import PasswordInput

    ModelForm = forms.ModelForm[Any]
else:
    from django.forms import ModelForm
    from unfold.widgets import UnfoldAdminPasswordWidget as PasswordInput


def secret_field(**options: Any) -> forms.CharField:
    """Where a new secret is typed; what is stored is never shown."""
    widget = PasswordInput(render_value=False, attrs={"autocomplete": "off"})
    return forms.CharField(label="Secret", required=False, widget=widget, **options)


class SecretForm(ModelForm):
    """For a model whose ``secret`` is a SecretField.

    The model's own field holds it encrypted and is in no form: a subclass declares
    ``new_secret``, says in ``secret_help`` what it is, and offers ``problems``.
    """

    secret_help = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kept = "One is stored; leave this empty to keep it."
        known = bool(self.instance.secret)
        self.fields["new_secret"].help_text = kept if known else self.secret_help

    def problems(
        self, before: Any, given: Mapping[str, Any], new_secret: str
    ) -> Mapping[str, str]:
        """Why it cannot be saved, by field; ``before`` is the row as it is stored."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if self.errors:
            return given
        before = None
        if self.instance.pk:
            before = type(self.instance).objects.get(pk=self.instance.pk)
        found = self.problems(before, given, given["new_secret"])
        for field, problem in found.items():
            self.add_error("new_secret" if field == "secret" else field, problem)
        return given

    def save(self, commit: bool = True) -> Any:
        if self.cleaned_data["new_secret"]:
            self.instance.secret = encrypt(self.cleaned_data["new_secret"])
        return super().save(commit)
