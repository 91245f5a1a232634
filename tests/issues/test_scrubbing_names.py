import pytest

from issues.scrubbing.addresses import is_address_name, truncated, truncated_list
from issues.scrubbing.names import holds_cookies, parameter_word, secret_word
from issues.scrubbing.personal import personal_word

SECRET = [
    *("password", "PASSWORD", "user_password", "userPassword", "db.passwd", "Passwort"),
    *("client_secret", "SECRET_KEY", "apiKey", "x-api-key", "api key", "privatekey"),
    *("private_key", "mysql_pwd", "credentials", "AWS_ACCESS_KEY", "signing-key"),
    *("token", "access_token", "refreshToken", "csrfmiddlewaretoken", "xsrf", "tokens"),
    *("auth", "Authorization", "proxy-authorization", "oauth_verifier", "authkey"),
    *("authentication", "otp", "totpCode", "two_factor", "twoFactorCode", "dbPwd"),
    *("smtp_pass", "pin", "user_pin", "cvv", "cvc2", "ssn", "iban", "sid", "jwt"),
    *("session_id", "PHPSESSID", "JSESSIONID", "connect.sid", "card_number"),
    *("creditCardNumber", "connection_string", "shop_access_token", "hmac"),
    *("X-Shopify-Access-Token", "X-Shopify-Hmac-SHA256", "HTTP_X_SHOPIFY_HMAC_SHA256"),
    *("http.request.header.authorization", "b'authorization'", "'password'"),
    *("secret/data/password", "user[password]", "stripe-signature"),
]
HARMLESS = [
    *("author", "authors", "authority", "authenticated", "WWW-Authenticate"),
    *("tokenizer", "token_type", "token_expires_at", "password_length", "auth_url"),
    *("secretary", "keyboard", "key", "public_key", "dsn", "trace_id", "debug_id"),
    *("compass", "shipping", "pinned", "opinion", "inside", "passenger", "pass_count"),
    *("X-Shopify-Shop-Domain", "X-Shopify-Topic", "HTTP_X_SHOPIFY_TOPIC"),
    *("contrib/auth/base.html", "", "é", "user", "order_id", "session", "signal"),
]


@pytest.mark.parametrize("name", SECRET)
def test_a_name_tells_a_secret(name: str) -> None:
    assert secret_word(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_name_tells_none(name: str) -> None:
    assert secret_word(name) == ""


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("session", True),
        ("__Host-session", True),
        ("_shop_session", True),
        ("csrftoken", True),
        ("cart", True),
        ("_vercel_jwt", True),
        ("remember_me", True),
        ("lang", False),
        ("_ga", False),
        ("page", False),
    ],
)
def test_cookies_and_parameters_have_names_of_their_own(
    name: str, secret: bool
) -> None:
    assert bool(parameter_word(name)) is secret


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("Cookie", True),
        ("set-cookie", True),
        ("b'cookie'", True),
        ("HTTP_COOKIE", True),
        ("cookies", True),
        ("cookie_policy", False),
    ],
)
def test_headers_of_cookies_are_known(name: str, holds: bool) -> None:
    assert holds_cookies(name) is holds


@pytest.mark.parametrize(
    ("name", "personal"),
    [
        ("email", True),
        ("customerEmail", True),
        ("billing_phone", True),
        ("shipping_address", True),
        ("address1", True),
        ("firstName", True),
        ("zip", True),
        ("postal_code", True),
        ("tracking_url", True),
        ("order_status_url", True),
        ("date_of_birth", True),
        ("ip_address", False),
        ("remote_addr", False),
        ("server.address", False),
        ("name", False),
        ("country_code", False),
        ("email_count", False),
    ],
)
def test_names_tell_personal_data(name: str, personal: bool) -> None:
    assert bool(personal_word(name)) is personal


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("ip_address", True),
        ("REMOTE_ADDR", True),
        ("X-Forwarded-For", True),
        ("HTTP_X_FORWARDED_FOR", True),
        ("CF-Connecting-IP", True),
        ("client.address", True),
        ("net.peer.ip", True),
        ("client_ip", True),
        ("zip", False),
        ("server.address", False),
        ("cf-ipcountry", False),
    ],
)
def test_names_tell_client_addresses(name: str, address: bool) -> None:
    assert is_address_name(name) is address


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.0"),
        ("2001:db8:1:2::3", "2001:db8:1::"),
        ("::ffff:203.0.113.9", "203.0.113.0"),
        (" '203.0.113.9'", "203.0.113.0"),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_addresses_are_truncated(address: str, network: str) -> None:
    assert truncated(address) == network


def test_each_address_of_a_list_is_truncated() -> None:
    assert truncated_list("203.0.113.9, 10.1.2.3") == "203.0.113.0, 10.1.2.0"
    assert truncated_list("203.0.113.9, secret") == ""
