"""Errors of browsers with a cause outside the page's own code, or in loading it.

By what an error says and by where it was thrown; all texts here are in small letters.
Errors repeat: what was said of a text is remembered.
"""

import re
from functools import lru_cache

from issues.normal_event import ExceptionValue, NormalEvent

# How the addresses of scripts begin that an extension or the browser itself brought.
SCHEMES = (
    "chrome-extension:",
    "chrome://",
    "moz-extension:",
    "safari-extension:",
    "safari-web-extension:",
    "webkit-masked-url:",
    "ms-browser-extension:",
    "extension:",
    "edge://",
    "resource://",
    "user-script:",
)
# Content-Security-Policy reports name what they cannot show by its scheme alone.
REPORTED_SCHEMES = frozenset(
    {
        *(scheme.rstrip(":/") for scheme in SCHEMES),
        *("opera", "mx", "symres", "mbinit", "tmtbff", "chromenull", "chromeinvoke"),
        *("applewebdata", "qrc", "sogou", "safari-resource", "ms-appx-web", "res"),
    }
)
# A virus scanner puts its script into every page that passes.
_HOSTS = re.compile(r"https?://[\w.-]*kaspersky-labs\.com/")
_NOWHERE = frozenset({"", "<anonymous>", "[native code]", "native"})

EXTENSIONS = (
    # Extensions that talk with a part of themselves that is gone.
    "extension context invalidated",
    "could not establish connection. receiving end does not exist",
    "message channel closed before a response was received",
    "message port closed before a response was received",
    "attempting to use a disconnected port object",
    "invalid call to runtime.sendmessage()",
    "the page keeping the extension port is moved into back/forward cache",
    "object not found matching id:",
    "can't access dead object",
    "duplicate script id 'fido2-page-script-registration'",
    # Wallets that fight over one name.
    "cannot redefine property: ethereum",
    "cannot set property ethereum of",
    'can\'t redefine non-configurable property "ethereum"',
    "tronlinkparams",
    "tronlink.setaddress",
    # Words that only scripts of in-app browsers, toolbars and extensions use.
    "_autofillcallbackhandler",
    "instantsearchsdkjsbridgeclearhighlight",
    "_pcmbridgecallbackhandler",
    "paymentautofillconfig",
    "enabledidusertypeonkeyboardlogging",
    "enablebuttonsclickedmetadatalogging",
    "selecteddebughandler",
    "setiosparameters",
    "gcrweb",
    "__firefox__",
    "_sharedata_ is not defined",
    "cecurrentvideo",
    "zalojsv2",
    "ucshelljava",
    "mttcreditpay",
    "scdynimacbridge",
    "symbrowser_",
    "webkit-masked-url:",
    "null is not an object (evaluating 'elt.parentnode')",
    "plugin.setsuspendstate is not a function",
    "top.globals",
    "originalcreatenotification",
    "canvas.contentdocument",
    "myapp_removeallhighlights",
    "zitereader",
    "jigsaw is not defined",
    "combosearch is not defined",
    "atomicfindclose",
    "fb_xd_fragment",
    "bmi_safeaddonload",
    "ebcallbackmessagereceived",
    "conduitpage",
)
CHUNKS = (
    "chunkloaderror",
    "loading css chunk",
    "css_chunk_load_failed",
    "failed to load chunk",
    "failed to fetch dynamically imported module",
    "error loading dynamically imported module",
    "importing a module script failed",
    "failed to load module script",
    "unable to preload css",
    "is not a valid javascript mime type",
)
HYDRATION = (
    "hydration failed",
    "hydration error",
    "hydration mismatch",
    "hydration_mismatch",
    "hydration_failed",
    "hydration completed but contains mismatches",
    "hydration node mismatch",
    "hydration text mismatch",
    "hydration text content mismatch",
    "hydration children mismatch",
    "hydration attribute mismatch",
    "hydration class mismatch",
    "hydration style mismatch",
    "error while hydrating",
    "while this suspense boundary was hydrating",
    "before it finished hydrating",
    "during hydration angular expected",
    "text content does not match server-rendered html",
    "text content did not match. server:",
    "did not match the client properties",
    "did not expect server html to contain",
    "expected server html to contain a matching",
    "virtual dom tree is not matching server-rendered content",
)
_LOADING_CHUNK = re.compile(r"loading chunk [\w./~-]+ failed")
_REACT_HYDRATION = re.compile(r"minified react error #(?:418|419|421|422|423|425)\b")


def is_thrown_by_extension(event: NormalEvent) -> bool:
    """Whether the raised error came out of one, or a CSP report is about one."""
    if event.exceptions and is_foreign_script(thrown_in(event.exceptions[-1])):
        return True
    return event.logger == "csp" and _reports_extension(event)


@lru_cache(maxsize=2048)
def is_extension_error(text: str) -> bool:
    return any(phrase in text for phrase in EXTENSIONS)


@lru_cache(maxsize=2048)
def is_chunk_load_error(text: str) -> bool:
    return any(phrase in text for phrase in CHUNKS) or (
        "loading chunk" in text and _LOADING_CHUNK.search(text) is not None
    )


@lru_cache(maxsize=2048)
def is_hydration_error(text: str) -> bool:
    return any(phrase in text for phrase in HYDRATION) or (
        "react error" in text and _REACT_HYDRATION.search(text) is not None
    )


def thrown_in(exception: ExceptionValue) -> str:
    """The address of the innermost script of the stack trace; "" where none is told."""
    for frame in reversed(exception.frames):
        path = frame.abs_path or frame.filename
        if path not in _NOWHERE:
            return path
    return ""


@lru_cache(maxsize=2048)
def is_foreign_script(url: str) -> bool:
    lowered = url[:100].lower()
    return lowered.startswith(SCHEMES) or _HOSTS.match(lowered) is not None


def _reports_extension(event: NormalEvent) -> bool:
    """Whether a CSP report is of what an extension brought or did."""
    report = (event.body.get("extra") or {}).get("csp-report")
    if not isinstance(report, dict):
        return False
    for name in ("blocked-uri", "source-file"):
        told = report.get(name)
        if isinstance(told, str) and (
            is_foreign_script(told)
            or told.partition(":")[0].lower() in REPORTED_SCHEMES
        ):
            return True
    return False
