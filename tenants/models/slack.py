"""Who presses buttons in Slack, and what was pressed a moment ago."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class SlackAccount(models.Model):
    """Whose account a Slack user is: what is pressed there is done in its name.

    ``team`` is the workspace of the user. ``by_email``: found by itself, because Slack
    has confirmed the address of exactly one account here.
    """

    team = models.CharField(
        max_length=20, help_text="The workspace's id, such as T012AB3C4."
    )
    slack_user = models.CharField(
        "Slack user", max_length=20, help_text="The member's id, such as U012AB3CD."
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        verbose_name="account",
        related_name="slack_accounts",
    )
    by_email = models.BooleanField("found by e-mail", default=False, editable=False)
    created = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["user__username", "id"]
        verbose_name = "Slack account"
        constraints = [
            models.UniqueConstraint(
                "team",
                "slack_user",
                name="slackaccount_unique",
                violation_error_message="This Slack user has an account already: "
                "change that row.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.slack_user} of {self.team} as {self.user}"


class SlackPress(models.Model):
    """A request of Slack that was acted on, so that a repeated one does nothing.

    Kept for as long as its signature is taken.
    """

    signature = models.CharField(max_length=80, unique=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "Slack presses"
        indexes = [models.Index(fields=["at"], name="slackpress_at")]

    def __str__(self) -> str:
        return f"{self.signature[:12]}… at {self.at:%H:%M:%S}"
