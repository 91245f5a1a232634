"""Whose account a Slack user is."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from tenants.admin_links import admin_link
from tenants.audit import SYSTEM, record
from tenants.models import SlackAccount
from tenants.slack_app.line import Line
from tenants.slack_app.presses import Press
from tenants.talks import part

NAMED = 3  # people that are named to ask
# What Slack says of somebody who is not a full member of the workspace.
NOT_MEMBERS = (
    "deleted",
    "is_bot",
    "is_invited_user",
    "is_restricted",
    "is_stranger",
    "is_ultra_restricted",
)


def account_of(team: str, slack_user: str, line: Line) -> User | None:
    """The account of a Slack user: mapped by somebody, or by its e-mail."""
    mapped = SlackAccount.objects.select_related("user").filter(
        team=team, slack_user=slack_user
    )
    row = mapped.first()
    return row.user if row else _by_email(team, slack_user, line)


def _by_email(team: str, slack_user: str, line: Line) -> User | None:
    """The one active account with the address that Slack has confirmed."""
    email = confirmed_email(line.user_info(slack_user), team)
    if not email:
        return None
    # The database may take one letter for another; a look-alike is not the same.
    found = [
        user
        for user in User.objects.filter(is_active=True, email__iexact=email)
        if user.email.casefold() == email.casefold()
    ]
    if len(found) != 1:
        return None
    with transaction.atomic():
        row, made = SlackAccount.objects.get_or_create(
            team=team,
            slack_user=slack_user,
            defaults={"user": found[0], "by_email": True},
        )
        if made:
            changes = {"user": [None, found[0].get_username()], "email": [None, email]}
            record(SYSTEM, "mapped by e-mail", row, changes)
    return row.user


def confirmed_email(told: Any, team: str) -> str:
    """The confirmed address of a full member of the workspace, else "".

    ``told`` is the user of users.info; without the scope users:read.email it has no
    address.
    """
    member = part(told, "team_id") == team and not any(
        part(told, name) for name in NOT_MEMBERS
    )
    email = part(told, "profile", "email")
    if not member or part(told, "is_email_confirmed") is not True:
        return ""
    return email if isinstance(email, str) and "\0" not in email else ""


def unknown(press: Press) -> str:
    """What is said to somebody without an account: how to get one, and from whom."""
    page = admin_link(
        "tenants/slackaccount/add", team=press.team, slack_user=press.slack_user
    )
    owners = ", ".join(_owners()) or "an owner of rush_monitor"
    return (
        f"Nothing was done: rush_monitor does not know whose account you are (Slack "
        f"user {press.slack_user} of {press.team}). Ask {owners} to add you at "
        f"{page}"
    )


def _owners() -> list[str]:
    """Who can map accounts: owners, else superusers."""
    people = User.objects.filter(is_active=True, is_staff=True).order_by("username")
    owners = people.filter(groups__name="owner") or people.filter(is_superuser=True)
    return [user.get_username() for user in owners[:NAMED]]
