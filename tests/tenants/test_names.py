import pytest

from tenants.names import one_line, tenant_key


@pytest.mark.parametrize(
    ("told", "written"),
    [
        ("shop@2.4.0", "shop@2.4.0"),
        ("  a  b ", "  a  b "),
        ("a\n b\tc", "a b c"),
        ("nul\0 and half \ud83d", "nul and half"),
        ("🧦 socks", "🧦 socks"),
    ],
)
def test_a_name_is_one_printable_line(told: str, written: str) -> None:
    assert one_line(told) == written


@pytest.mark.parametrize(
    ("told", "key"),
    [
        (" ACME.example ", "acme.example"),
        ("Big\nShop", "big shop"),
        ("İ" * 200, ("i̇" * 100)),
        ("\0", ""),
    ],
)
def test_a_tenant_key_is_small_and_short(told: str, key: str) -> None:
    assert tenant_key(told) == key
