"""The page that sets plans and revenue of thousands of tenants from a CSV."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from tenants.audit import Actor
from tenants.audited import may
from tenants.importing import COLUMNS, ImportResult, read_csv, upsert
from tenants.refusals import Refusal

MOST_BYTES = 20 << 20
ERRORS_SHOWN = 100


class ImportForm(forms.Form):
    """A CSV file; one line a tenant, named by its key."""

    file = forms.FileField(
        label="CSV file",
        widget=forms.FileInput(attrs={"class": "rm-input", "accept": ".csv,.tsv,.txt"}),
        help_text="With a header line; commas, semicolons or tabs; UTF-8.",
    )
    create_plans = forms.BooleanField(
        label="Make plans that are not known yet, with weight 1", required=False
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(
                f"The file has {file.size >> 20} MB; {MOST_BYTES >> 20} are the most. "
                "Split it."
            )
        return file


def import_view(request: HttpRequest, each_context: dict[str, Any]) -> HttpResponse:
    """Take the file, and tell what came of it line by line."""
    if not may(request, "tenants.change_tenant"):
        raise PermissionDenied
    form = ImportForm(request.POST or None, request.FILES or None, label_suffix="")
    result = None
    if request.method == "POST" and form.is_valid():
        result = _import(request, form.cleaned_data)
    context = {
        **each_context,
        "form": form,
        "result": result,
        "errors": result.errors[:ERRORS_SHOWN] if result else [],
        "columns": COLUMNS,
        "title": "Import tenants",
        "content_title": "Import tenants",
    }
    return TemplateResponse(request, "tenants/import.html", context)


def _import(request: HttpRequest, given: dict[str, Any]) -> ImportResult | None:
    try:
        return upsert(
            read_csv(given["file"].read()),
            Actor.of(request),
            create_plans=given["create_plans"],
            first_row=2,  # line 1 names the columns
        )
    except Refusal as refusal:
        messages.error(request, str(refusal))
        return None
