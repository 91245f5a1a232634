"""Takes secrets and personal data out of what clients send, before it is stored.

``names``, ``tokens``, ``checksums`` and ``personal`` say what a secret looks like;
``values`` and ``assignments`` find it in a text, ``structures`` inside JSON, forms and
cookies, ``run`` in a tree; ``events`` knows the places of an event. ``scrubber`` holds
a project's rules and the pre-check that spares most events all of this.
"""

from issues.scrubbing.events import scrub_body, scrub_event
from issues.scrubbing.run import Run
from issues.scrubbing.scrubber import Policy, Scrubber, scrubber_of
from issues.scrubbing.structures import FILTERED
from issues.scrubbing.text_run import Replaced
from issues.scrubbing.texts import Level, holds_token, scrub_text

__all__ = [
    "FILTERED",
    "Level",
    "Policy",
    "Replaced",
    "Run",
    "Scrubber",
    "holds_token",
    "scrub_body",
    "scrub_event",
    "scrub_text",
    "scrubber_of",
]
