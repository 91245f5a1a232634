"""Sends what waits. The message holds nothing: the task asks the table."""

import logging
from concurrent.futures import ThreadPoolExecutor

from celery import shared_task
from django.db import connection
from django.utils import timezone

from tenants import delivery

# Channels are served side by side, in threads of their own: one that hangs holds
# neither another one nor a tick. Each is served by one thread at a time.
CHANNELS_AT_ONCE = 8

logger = logging.getLogger(__name__)
_threads = ThreadPoolExecutor(CHANNELS_AT_ONCE, thread_name_prefix="deliver")


@shared_task(name="tenants.deliver")
def deliver() -> None:
    """Hand every channel with due messages to a thread."""
    for channel_id in delivery.due_channels(timezone.now()):
        _threads.submit(_serve, channel_id)


def _serve(channel_id: int) -> None:
    try:
        delivery.serve(channel_id)
    except Exception:
        logger.exception("channel %s could not be served; beat tries again", channel_id)
    finally:
        connection.close()
