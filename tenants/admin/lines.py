"""Lists of texts in forms: one to a line."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import ValidationError

from tenants.models.inbound import validate_browser, validate_glob, validate_network
from tenants.models.project import validate_origin

if TYPE_CHECKING:
    from django.forms import Textarea as TextArea
else:
    from unfold.widgets import UnfoldAdminTextareaWidget as TextArea


class LinesField(SimpleArrayField):
    """An array as a text area; empty lines do not count."""

    rows = 6

    def __init__(self, base_field: Any, **kwargs: Any) -> None:
        kwargs["widget"] = TextArea(attrs={"rows": self.rows})
        kwargs["delimiter"] = "\n"
        kwargs["show_hidden_initial"] = False
        super().__init__(base_field, **kwargs)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            lines = (line.strip() for line in value.splitlines())
            value = "\n".join(line for line in lines if line)
        return super().to_python(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or []))
        except ValidationError:
            return True


def validate_origins(origins: list[str]) -> None:
    """Here because the model's own complaint about one of many loses its text."""
    for origin in origins:
        validate_origin(origin)


class OriginsField(LinesField):
    rows = 3
    default_validators = [validate_origins]


def each_line(
    validate: Callable[[str], None],
) -> Callable[[list[str]], None]:
    """A validator of all lines that says which one it complains about."""

    def validate_lines(lines: list[str]) -> None:
        for number, line in enumerate(lines, 1):
            try:
                validate(line)
            except ValidationError as error:
                told = " ".join(error.messages)
                raise ValidationError(f"Line {number}: {told}") from error

    return validate_lines


class GlobsField(LinesField):
    rows = 4
    default_validators = [each_line(validate_glob)]


class NetworksField(LinesField):
    rows = 4
    default_validators = [each_line(validate_network)]


class BrowsersField(LinesField):
    rows = 7
    default_validators = [each_line(validate_browser)]
