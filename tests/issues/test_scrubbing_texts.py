"""What is taken out of running text, and what stays."""

import pytest

from issues.scrubbing import Level, Policy, holds_token, scrub_text, scrubber_of

F = "[Filtered]"
DEFAULT = scrubber_of(Policy())


def scrubbed(text: str, level: Level = Level.FULL, **policy: object) -> str:
    return scrub_text(text, scrubber_of(Policy(**policy)), level)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("password=hunter2&x=1", f"password={F}&x=1"),
        ("user[password]=a&commit=1", f"user[password]={F}&commit=1"),
        ("?sid=abc&page=2", f"?sid={F}&page=2"),
        ("next=%2Fa%3Ftoken%3Dabc%26b", f"next=%2Fa%3Ftoken%3D{F}%26b"),
        ("{'password': 'hunt er2', 'n': 1}", f"{{'password': '{F}', 'n': 1}}"),
        ('{"api_key":"x\\"y","b":1}', f'{{"api_key":"{F}","b":1}}'),
        (
            '{\\"password\\":\\"a\\\\\\"b\\",\\"x\\":1}',
            f'{{\\"password\\":\\"{F}\\",\\"x\\":1}}',
        ),
        ('{"token": "cut o', f'{{"token": "{F}'),
        ("credentials={'a': {'b': 1}} rest", f"credentials={F} rest"),
        ("Conf(password='a', api_key=None)", f"Conf(password='{F}', api_key=None)"),
        ("Password=abc;User ID=sa;", f"Password={F};User ID=sa;"),
        ("Authorization: Basic dXNlcjpw\nHost: x", f"Authorization: {F}\nHost: x"),
        ('Proxy-Authorization: Digest u="x", r="y"', f"Proxy-Authorization: {F}"),
        ("Cookie: a=1; sessionid=b; cart=c", f"Cookie: a=1; sessionid={F}; cart={F}"),
        ("[(b'cookie', b'sessionid=abc')]", f"[(b'cookie', b'sessionid={F}')]"),
        ("('Authorization', 'Basic abc')", f"('Authorization', '{F}')"),
        ("headers['X-Auth-Token'] = 'abc'", f"headers['X-Auth-Token'] = '{F}'"),
        ("<password>abc</password>", f"<password>{F}</password>"),
        ("mysql --password hunter2 -u x", f"mysql --password {F} -u x"),
        ("ALTER USER x WITH PASSWORD 'abc'", f"ALTER USER x WITH PASSWORD '{F}'"),
        ("card number: 4242", f"card number: {F}"),
        ("PASSWORD := x1", f"PASSWORD := {F}"),
        ("otp=999999", f"otp={F}"),
    ],
)
def test_a_value_goes_whose_name_tells_a_secret(text: str, left: str) -> None:
    assert scrubbed(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Unexpected token < in JSON at position 0",
        "Unexpected token: }",
        "Cannot read properties of undefined (reading 'token')",
        "KeyError: 'password'",
        "password: This field is required.",
        "auth: user not found",
        "Bearer token missing",
        "author=Bob",
        "token = undefined",
        "const {token, user} = this",
        "password == confirmation",
        "secret: {name}",
        "password=%s",
        "token=>token.id",
        "order 1234567890123 of shop-1.example",
        "at 2026-11-23T09:30:00.000Z took 1764202685123",
        "variant_id=4242424242424242",
        "gid://shopify/ProductVariant/4242424242424242",
        "0.4242424242424242",
        "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "trace 0af7651916cd43dd8448eb211c80319c",
        "https://0af7651916cd43dd8448eb211c80319c@rush.example/1",
        "https://registry.example:8080/@scope/name",
        "123-45-67890 and 2026-11-2345 and 000-12-3456",
        "shop@1.2.3",
        "basic authentication",
        f"password={F}",
    ],
)
def test_sentences_ids_and_placeholders_stay(text: str) -> None:
    assert scrubbed(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Bearer abc.DEF-1", f"Bearer {F}"),
        ("sent Basic dXNlcjpwYXNz twice", f"sent Basic {F} twice"),
        ("redis://:pass@db:6379/0", f"redis://{F}@db:6379/0"),
        ("https:\\/\\/u:p@x.example", f"https:\\/\\/{F}@x.example"),
        ("paid: 4111 1111 1111 1111 12/27", f"paid: {F} 12/27"),
        ("12 4111-1111-1111-1111", f"12 {F}"),
        ("ssn 123-45-6789.", f"ssn {F}."),
        ("to ID42 GB29 NWBK 6016 1331 9268 19", f"to ID42 {F}"),
        ("k: -----BEGIN EC PRIVATE KEY-----\nMHc", f"k: {F}"),
        (
            "a -----BEGIN PRIVATE KEY-----\nMHc\n-----END PRIVATE KEY----- b",
            f"a {F} b",
        ),
        ("shpat_0a1b2c3d4e5f", F),
        ("xAKIAIOSFODNN7EXAMPLEx", f"x{F}x"),
        ("\\nghp_0123456789abcdefghij", f"\\n{F}"),
    ],
)
def test_a_secret_goes_that_its_form_tells(text: str, left: str) -> None:
    assert scrubbed(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("api_key = 'a8f5f167f44f4964'", f"api_key = '{F}'"),
        ("token = request.GET['token']", "token = request.GET['token']"),
        ('TYPE = {"password": "Passwort"}', 'TYPE = {"password": "Passwort"}'),
        ('key = "shpat_0a1b2c3d4e5f"', f'key = "{F}"'),
        ("n = 4242424242424242", "n = 4242424242424242"),
    ],
)
def test_of_source_only_literals_by_chance_go(text: str, left: str) -> None:
    assert scrubbed(text, Level.CODE) == left


def test_names_of_code_lose_tokens_only() -> None:
    assert scrubbed("password=hunter2", Level.TOKENS) == "password=hunter2"
    assert scrubbed("shpat_0a1b2c3d4e5f", Level.TOKENS) == F


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("mail ann.b+c@shop.example now", f"mail {F} now"),
        ("call +49 170 1234567", f"call {F}"),
        ("call (555) 123-4567", f"call {F}"),
        ("email=ann@b.example", f"email={F}"),
        ("phone: 0170/1234567", f"phone: {F}"),
        ("shop@1.2.3 took +1 s", "shop@1.2.3 took +1 s"),
    ],
)
def test_personal_data_goes_where_a_project_says_so(text: str, left: str) -> None:
    assert scrubbed(text, personal=True) == left
    assert scrubbed("mail ann@b.example") == "mail ann@b.example"


def test_own_names_and_patterns_go_and_kept_names_stay() -> None:
    own = {
        "keys": (("rule 1", "customer_*"),),
        "patterns": (("rule 2", r"\bPK-\d{6}\b"),),
        "kept": ("api_token_name",),
    }
    text = "customer_no=7&api_token_name=main&note=PK-123456"

    assert scrubbed(text, **own) == (f"customer_no={F}&api_token_name=main&note={F}")  # type: ignore[arg-type]


def test_an_own_pattern_does_not_eat_what_was_scrubbed_before() -> None:
    left = scrubbed("password=hunter2 x", patterns=(("rule 1", "[a-z]+"),))

    assert left == f"{F}={F} {F}"


def test_what_was_scrubbed_stays_as_it_is() -> None:
    once = scrubbed("Authorization: Bearer abc; password=x; 4242424242424242")

    assert scrub_text(once, DEFAULT) == (once, [])


def test_each_replacement_is_told_by_its_rule() -> None:
    _, rules = scrub_text("password=x and 4242424242424242", DEFAULT)

    assert sorted(rules) == ["card", "password"]


def test_a_text_with_too_many_names_loses_its_rest() -> None:
    text = "token=abc1 " * 6000 + "secret-in-no-form"

    assert "secret-in-no-form" not in scrubbed(text)


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("shop@1.0.0", False),
        ("4b825dc642cb6eb9a060e54bf8d69288fbee4904", False),
        ("4242424242424242", False),
        ("shpat_0a1b2c3d4e5f", True),
        ("x" * 600 + "shpat_0a1b2c3d4e5f", False),
    ],
)
def test_names_of_rows_are_refused_only_as_tokens(name: str, token: bool) -> None:
    assert holds_token(name) is token
