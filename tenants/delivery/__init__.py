"""Brings messages to channels: each once, in order, and nothing fails in silence.

1. ``enqueue`` writes a row in the transaction of its cause. The same subject and state
   is one row, however often its cause is looked at.
2. One process serves a channel at a time (an advisory lock, which ends with it). Of
   each subject the oldest unfinished row comes first.
3. A row becomes ``sending`` by a committed UPDATE before its request goes out.
4. The answer decides: *sent*; *failed* (surely not there, and trying again is of no
   use); later again; or it is *in doubt*. So is what a dead process left ``sending``.
5. In doubt, a kind that acts once per key is asked again with the same key; one that
   can be searched is searched; any other ends as *outcome unknown*, not sent twice.

A channel that refuses for good is switched off, and the others hear of it.
"""

from tenants.delivery.enqueueing import enqueue, send_again
from tenants.delivery.serving import NOT_OFFERED, due_channels, serve
from tenants.delivery.switching import switch_off, switch_on, switched_by_hand
from tenants.delivery.testing import send_test

__all__ = [
    "NOT_OFFERED",
    "due_channels",
    "enqueue",
    "send_again",
    "send_test",
    "serve",
    "switch_off",
    "switch_on",
    "switched_by_hand",
]
