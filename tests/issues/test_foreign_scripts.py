"""What browsers say of extensions, missing chunks and hydration, word by word."""

from typing import Any

import pytest

from issues.digest.foreign_scripts import (
    is_chunk_load_error,
    is_extension_error,
    is_foreign_script,
    is_hydration_error,
    thrown_in,
)
from issues.normal_event import ExceptionValue, Frame

EXTENSION = [
    "Error: Extension context invalidated.",
    "Error: Could not establish connection. Receiving end does not exist.",
    "Error: A listener indicated an asynchronous response by returning true, but the "
    "message channel closed before a response was received",
    "Error: The message port closed before a response was received.",
    "Error: Attempting to use a disconnected port object",
    "Error: Invalid call to runtime.sendMessage(). Tab not found.",
    "UnhandledRejection: Non-Error promise rejection captured with value: Object Not "
    "Found Matching Id:3, MethodName:update, ParamCount:4",
    "TypeError: can't access dead object",
    "TypeError: Cannot redefine property: ethereum",
    "TypeError: Cannot set property ethereum of #<Window> which has only a getter",
    "TypeError: 'set' on proxy: trap returned falsish for property 'tronlinkParams'",
    "ReferenceError: Can't find variable: _AutofillCallbackHandler",
    "ReferenceError: Can't find variable: instantSearchSDKJSBridgeClearHighlight",
    "TypeError: undefined is not an object (evaluating "
    "'window.__gCrWeb.autofill.extractForms')",
    "ReferenceError: Can't find variable: gCrWeb",
    "TypeError: undefined is not an object (evaluating 'window.__firefox__.reader')",
    "ReferenceError: Can't find variable: PaymentAutofillConfig",
    "Error: Error invoking enableDidUserTypeOnKeyboardLogging: Java object is gone",
    "TypeError: undefined is not an object (evaluating 'ceCurrentVideo.currentTime')",
    "ReferenceError: zaloJSV2 is not defined",
    "TypeError: null is not an object (evaluating 'elt.parentNode')",
    "TypeError: plugin.setSuspendState is not a function",
    "ReferenceError: Can't find variable: ZiteReader",
    "ReferenceError: jigsaw is not defined",
    "ReferenceError: conduitPage is not defined",
    "ReferenceError: bmi_SafeAddOnload is not defined",
    "ReferenceError: Can't find variable: EBCallBackMessageReceived",
    "TypeError: undefined is not a function (evaluating 'SymBrowser_ScreenAvailWidth')",
    "TypeError: top.GLOBALS is undefined",
    "Error: Failed to load webkit-masked-url://hidden/",
]
CHUNK = [
    "ChunkLoadError: Loading chunk 175 failed.",
    "ChunkLoadError: Loading chunk app/layout failed. (timeout: https://s.example/l.js)",
    "Error: Loading chunk vendors~main failed.",
    "Error: Loading CSS chunk 7 failed. (/static/css/7.2f8a.chunk.css)",
    "Error: Uncaught (in promise): ChunkLoadError: Loading chunk 12 failed.",
    "ChunkLoadError: Failed to load chunk /_next/static/chunks/2c1.js from module 91",
    "TypeError: Failed to fetch dynamically imported module: https://s.example/a.js",
    "TypeError: error loading dynamically imported module: https://s.example/a.js",
    "TypeError: Importing a module script failed.",
    "TypeError: 'text/html' is not a valid JavaScript MIME type.",
    "Error: Unable to preload CSS for /assets/Cart-7d1f.css",
    "Failed to load module script: Expected a JavaScript-or-Wasm module script",
]
HYDRATION = [
    "Error: Hydration failed because the initial UI does not match what was rendered "
    "on the server.",
    "Error: Hydration failed because the server rendered HTML didn't match the client.",
    "Error: Text content does not match server-rendered HTML.",
    'Warning: Text content did not match. Server: "1" Client: "2"',
    "Error: There was an error while hydrating. Because the error happened outside of "
    "a Suspense boundary, the entire root will switch to client rendering.",
    "Error: There was an error while hydrating this Suspense boundary.",
    "Error: This Suspense boundary received an update before it finished hydrating.",
    "Error: Minified React error #418; visit https://react.dev/errors/418?args[]=text",
    "Error: Minified React error #423; visit https://reactjs.org/docs/error-decoder"
    ".html?invariant=423 for the full message",
    "Error: Minified React error #425; visit https://reactjs.org/docs/error-decoder",
    "Warning: Expected server HTML to contain a matching <div> in <p>.",
    "Hydration completed but contains mismatches.",
    "Hydration node mismatch:",
    "Error: Hydration Mismatch. Unable to find DOM nodes for hydration key: 0-0-1",
    "Svelte error: hydration_mismatch",
    "Error: NG0500: During hydration Angular expected <div> but found <span>.",
    "The client-side rendered virtual DOM tree is not matching server-rendered "
    "content. This is likely caused by incorrect HTML markup.",
    "Hydration Error",
]
OWN = [
    "TypeError: Cannot read properties of undefined (reading 'price')",
    "TypeError: undefined is not an object (evaluating 'cart.items')",
    "TypeError: Failed to fetch",
    "TypeError: Load failed",
    "TypeError: NetworkError when attempting to fetch resource.",
    "SyntaxError: Unexpected token '<'",
    "ReferenceError: Can't find variable: Shopify",
    "ReferenceError: jQuery is not defined",
    "ReferenceError: fbq is not defined",
    "Error: Script error.",
    "Error: ResizeObserver loop limit exceeded",
    "Error: Minified React error #185; visit https://react.dev/errors/185",
    "Error: Minified React error #4180; visit https://react.dev/errors/4180",
    "NotFoundError: Failed to execute 'removeChild' on 'Node'",
    'SecurityError: Blocked a frame with origin "https://shop.example"',
    "Error: Loading chunk of the catalogue: 3 of 9",
    "Error: extension of the trial failed",
    "Error: Java object is gone",
    "Error: Could not load the module price-rules",
    "RangeError: Maximum call stack size exceeded",
    "",
]


@pytest.mark.parametrize("text", EXTENSION)
def test_what_extensions_and_in_app_browsers_say_is_known(text: str) -> None:
    assert is_extension_error(text.lower())


@pytest.mark.parametrize("text", CHUNK)
def test_a_part_of_a_page_that_did_not_load_is_known(text: str) -> None:
    assert is_chunk_load_error(text.lower())


@pytest.mark.parametrize("text", HYDRATION)
def test_a_failed_hydration_is_known(text: str) -> None:
    assert is_hydration_error(text.lower())


@pytest.mark.parametrize("text", OWN)
def test_an_error_of_the_page_itself_is_none_of_them(text: str) -> None:
    lowered = text.lower()
    assert not is_extension_error(lowered)
    assert not is_chunk_load_error(lowered)
    assert not is_hydration_error(lowered)


@pytest.mark.parametrize("text", EXTENSION + CHUNK + HYDRATION)
def test_an_error_is_of_one_kind(text: str) -> None:
    lowered = text.lower()
    kinds = (is_extension_error, is_chunk_load_error, is_hydration_error)
    assert sum(kind(lowered) for kind in kinds) == 1


@pytest.mark.parametrize(
    ("url", "foreign"),
    [
        ("chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn/inpage.js", True),
        ("moz-extension://3a1f0c9e-1b1d/content.js", True),
        ("safari-extension://com.example.helper/script.js", True),
        ("safari-web-extension://8E9D1C2A/content.js", True),
        ("webkit-masked-url://hidden/", True),
        ("chrome://userjs/1.js", True),
        ("resource://gre/modules/FormAutofill.sys.mjs", True),
        ("https://gc.kis.v2.scr.kaspersky-labs.com/FD126C42/main.js", True),
        ("CHROME-EXTENSION://abc/x.js", True),
        ("https://shop.example/assets/app.js", False),
        ("https://shop.example/proxy?of=chrome-extension://abc/x.js", False),
        ("https://shop.example/kaspersky-labs.com/x.js", False),
        ("https://cdn.example/chrome-extension-shim.js", False),
        ("app:///main.js", False),
        ("/assets/app.js", False),
        ("", False),
    ],
)
def test_a_script_of_an_extension_is_told_by_its_address(
    url: str, foreign: bool
) -> None:
    assert is_foreign_script(url) is foreign


@pytest.mark.parametrize(
    ("paths", "place"),
    [
        (["https://s.example/a.js", "chrome-extension://x/y.js"], "chrome-extension:"),
        # The extension called the page, and the page threw.
        (["chrome-extension://x/y.js", "https://s.example/a.js"], "https:"),
        (["chrome-extension://x/y.js", "<anonymous>"], "chrome-extension:"),
        (["moz-extension://x/y.js", "[native code]", ""], "moz-extension:"),
        (["<anonymous>"], ""),
        ([], ""),
    ],
)
def test_the_innermost_known_script_threw(paths: list[str], place: str) -> None:
    frames = [Frame(filename=path) for path in paths]
    found = thrown_in(ExceptionValue(frames=frames))
    assert found.startswith(place) and bool(found) is bool(place)


def test_the_absolute_path_wins_over_the_file_name() -> None:
    known: dict[str, Any] = {
        "filename": "inpage.js",
        "abs_path": "chrome://x/inpage.js",
    }
    assert thrown_in(ExceptionValue(frames=[Frame(**known)])) == known["abs_path"]
