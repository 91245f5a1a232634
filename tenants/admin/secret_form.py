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


def secret_field(label: str = "Secret", **options: Any) -> forms.CharField:
    """Where a new secret is typed; what is stored is never shown."""
    widget = PasswordInput(render_value=False, attrs={"autocomplete": "off"})
    return forms.CharField(label=label, required=False, widget=widget, **options)


class SecretForm(ModelForm):
    """For a model with SecretFields.

    The model's own fields hold them encrypted and are in no form: a subclass declares
    ``new_<field>`` for each of ``secrets``, which say what they are, and offers
    ``problems``.
    """

    secrets: Mapping[str, str] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kept = "One is stored; leave this empty to keep it."
        for name, told in self.secrets.items():
            known = bool(getattr(self.instance, name))
            self.fields[f"new_{name}"].help_text = kept if known else told

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
            self.add_error(f"new_{field}" if field in self.secrets else field, problem)
        return given

    def save(self, commit: bool = True) -> Any:
        for name in self.secrets:
            if self.cleaned_data[f"new_{name}"]:
                secret = encrypt(self.cleaned_data[f"new_{name}"])
                setattr(self.instance, name, secret)
        return super().save(commit)
