"""Where the source code of a project lies, so that stack traces link to it."""

import re

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models

from tenants.models.project import Project

PLACEHOLDER = re.compile(r"\{(\w*)\}")
PLACEHOLDERS = ("url", "commit", "path", "line")


def validate_template(value: str) -> None:
    """Accept an http(s) address with ``{path}`` and no placeholder that is unknown."""
    unknown = sorted(set(PLACEHOLDER.findall(value)) - set(PLACEHOLDERS))
    if unknown:
        raise ValidationError(
            f"{{{unknown[0]}}} is unknown. Use {{url}}, {{commit}}, {{path}}, {{line}}."
        )
    if "{path}" not in value:
        raise ValidationError("Say with {path} where the file's path belongs.")
    if not value.startswith(("http://", "https://", "{url}")):
        raise ValidationError("Begin with {url}, or with https://.")


class SourceRepository(models.Model):
    """A repository, and which frames stand in it: the first that matches counts.

    A frame's path that begins with ``prefix`` stands in the repository at ``folder``
    and the rest of the path. ``template`` belongs to ``Kind.OWN`` alone.
    """

    class Kind(models.TextChoices):
        GITHUB = "github", "GitHub"
        GITLAB = "gitlab", "GitLab"
        BITBUCKET = "bitbucket", "Bitbucket"
        OWN = "own", "own template"

    project = models.ForeignKey(
        Project, models.CASCADE, related_name="source_repositories"
    )
    position = models.IntegerField(default=0)
    url = models.CharField(
        "repository",
        max_length=500,
        validators=[URLValidator(["http", "https"])],
        help_text="Such as https://github.com/acme/shop",
    )
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.GITHUB)
    template = models.CharField(
        max_length=500,
        blank=True,
        validators=[validate_template],
        help_text="For an own template: the address of a line, such as "
        "{url}/blob/{commit}/{path}?line={line}",
    )
    prefix = models.CharField(
        max_length=200,
        blank=True,
        help_text="How the paths of its frames begin, such as app:///, "
        "webpack://shop/./ or /srv/app/. Empty: any path that is relative.",
    )
    folder = models.CharField(
        max_length=200,
        blank=True,
        help_text="What stands in place of that beginning in the repository, such as "
        "services/web/. Empty: nothing.",
    )

    class Meta:
        ordering = ["project_id", "position", "id"]
        verbose_name_plural = "source repositories"
        constraints = [
            models.CheckConstraint(
                name="source_repository_template",
                condition=models.Q(~models.Q(template=""), kind="own")
                | models.Q(~models.Q(kind="own"), template=""),
                violation_error_message="Give a template for “own template”, and for "
                "no other kind.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.prefix or '(any path)'} in {self.url}"
