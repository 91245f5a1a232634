"""Tokens that tell by their own form that they are secrets.

RE2 patterns on UTF-8 bytes. Forms: the issuers' documentation of their token
prefixes. What is public by design is not here: Stripe's pk_, DSNs, Shopify's app ids.
"""

# Seen anywhere, as no other text looks like them.
DISTINCT: dict[str, str] = {
    "jwt": r"eyJ[\w-]{6,}(?:\.[\w-]*){1,4}",
    "shopify": r"shp[a-z]{2}_[0-9A-Za-z]{6,}",
    "sentry": r"sntry[a-z]_[\w+/=.-]{20,}",
    "aws": r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
    "github": r"gh[pousr]_[0-9A-Za-z]{20,}|github_pat_\w{20,}",
    "gitlab": r"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct|oas)-[\w.-]{16,}",
    "slack": r"xox[a-z]-[\w-]{10,}|xapp-\d-[\w-]{10,}"
    r"|hooks\.slack\.com/(?:services|workflows|triggers)/[\w/-]{10,}",
    "discord": r"discord(?:app)?\.com/api/webhooks/\d+/[\w-]{20,}",
    "stripe": r"[rs]k_(?:live|test)_[0-9A-Za-z]{8,}|whsec_[0-9A-Za-z+/=]{16,}",
    "google": r"AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}",
    "sendgrid": r"SG\.[\w-]{16,}\.[\w-]{16,}",
    "npm": r"npm_[0-9A-Za-z]{30,}",
    "pypi": r"pypi-[\w-]{50,}",
    "openai": r"sk-(?:proj|svcacct|admin|ant|or)-[\w-]{20,}",
    "digitalocean": r"do[opr]_v1_[0-9a-f]{40,}",
    "docker": r"dckr_[a-z]{3}_[\w-]{20,}",
    "azure": r"(?:AccountKey|SharedAccessKey)=[0-9A-Za-z+/=]{40,}",
    "vault": r"hv[sbr]\.[\w-]{20,}",
    "grafana": r"gl(?:sa|c)_[0-9A-Za-z+/=_]{20,}",
    "square": r"sq0[a-z]{3}-[\w-]{20,}",
    "braintree": r"access_token\$\w+\$\w+\$[0-9a-f]{20,}",
    "shippo": r"shippo_(?:live|test)_[0-9a-f]{30,}",
    "linear": r"lin_(?:api|oauth)_[0-9A-Za-z]{30,}",
    "postman": r"PMAK-[0-9a-f]{20,}-[0-9a-f]{20,}",
    "atlassian": r"AT[AC]TT3[\w=-]{20,}",
    "planetscale": r"pscale_(?:tkn|pw|oauth)_[\w.=-]{20,}",
    "supabase": r"sb(?:p|_secret)_[\w-]{20,}",
    "newrelic": r"NR(?:AK|JS)-[0-9A-Z]{20,}",
    "telegram": r"bot\d{8,10}:[\w-]{35}",
    "mailchimp": r"[0-9a-f]{32}-us\d{1,2}",
    "age": r"AGE-SECRET-KEY-1[0-9A-Z]{50,}",
}
# Only where no word runs into them.
BOUNDED: dict[str, str] = {
    "openai": r"sk-[0-9A-Za-z]{32,}",
    "huggingface": r"hf_[0-9A-Za-z]{30,}",
    "twilio": r"SK[0-9a-f]{32}",
    "mailgun": r"key-[0-9a-f]{32}",
    "klaviyo": r"pk_[0-9a-f]{34}",
    "databricks": r"dapi[0-9a-f]{32}",
    "easypost": r"EZ[AT]K[0-9a-f]{10,}[\w]{20,}",
    "facebook": r"EAA[0-9A-Za-z]{60,}",
    "telegram": r"\d{8,10}:AA[\w-]{33}",
    "notion": r"ntn_[0-9A-Za-z]{40,}",
}
