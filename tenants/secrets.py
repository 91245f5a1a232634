"""Secrets of other systems (signing keys, tokens), encrypted at rest.

Encrypted with a key derived from SECRET_KEY; after that was changed, the old one stays
readable while it stands in SECRET_KEY_FALLBACKS.
"""

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    BaseField = models.TextField[str, str]
else:
    BaseField = models.TextField

PURPOSE = b"rush_monitor secrets "


class SecretUnreadable(Exception):
    """The secret was encrypted with a SECRET_KEY that is no longer known."""

    def __init__(self) -> None:
        super().__init__(
            "This secret was encrypted with another SECRET_KEY. Put that one into "
            "SECRET_KEY_FALLBACKS, or enter the secret again."
        )


def _fernet() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = (hashlib.sha256(PURPOSE + key.encode()).digest() for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in digests])


def encrypt(secret: str) -> str:
    """The secret as ASCII text that only ``decrypt`` can read; "" stays ""."""
    return _fernet().encrypt(secret.encode()).decode() if secret else ""


def decrypt(stored: str) -> str:
    """The secret; raises SecretUnreadable."""
    if not stored:
        return ""
    try:
        return _fernet().decrypt(stored.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadable from error


class SecretField(BaseField):
    """Text that is stored as ``encrypt`` makes it. Its value is the encrypted text.

    So that no page, log or API shows a secret by accident: who needs it calls
    ``decrypt``. Assign ``encrypt(secret)``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)
