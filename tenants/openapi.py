"""What the API's description tells about every call: how to log in, how errors look."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

PROBLEM = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do."},
        "errors": {
            "type": "object",
            "description": "The refused fields with their messages.",
            "additionalProperties": {},
        },
    },
    "example": {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "level:bad is not known: write level:error or level:>=warning.",
    },
}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Registers itself when this module is imported."""

    target_class = "tenants.auth.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API token with the scope that the call needs.",
        }


def add_problems(result: dict[str, Any], **context: Any) -> dict[str, Any]:
    """Give every operation its error answer (a postprocessing hook)."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    answer = {
        "description": "The call was refused.",
        "content": {
            "application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"}
            }
        },
    }
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"].setdefault("4XX", answer)
    return result
