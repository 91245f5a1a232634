"""The one kind of error that a step raises when it cannot do what was asked."""


class Refusal(ValueError):
    """The text says what is wrong and what to do; edges show it to the caller.

    The API answers 400 with it, the admin shows it as a message.
    """
