"""What comes back from a Slack app: who pressed what, and how we answer.

``requests`` checks that Slack sent it, ``presses`` reads it (pure), ``people`` knows
whose account it is, ``dialogs`` draws (pure), ``line`` answers in time. What a button
does is not known here: see ``issues.incidents.pressing``.
"""
