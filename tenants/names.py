"""How the names that clients tell are written in the tables."""

TENANT_CHARACTERS = 200


def one_line(text: str) -> str:
    """The text with each run of blanks and of what cannot be printed as one space."""
    if text.isprintable():
        return text
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def tenant_key(told: str) -> str:
    """The key of a tenant as its table has it: one line, in small letters."""
    # Some capitals are two characters in small letters, so the cut comes last.
    return one_line(told).strip().lower()[:TENANT_CHARACTERS].strip()
