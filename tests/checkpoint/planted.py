"""Secrets of every kind, made up, and a checkpoint in whose parts they were planted."""

from __future__ import annotations

import base64
import json
import random
import string
from pathlib import Path

from crafted import IMAGES, tar_of

LETTERS = string.ascii_letters + string.digits
_RANDOM = random.Random(18)


def some(count: int, letters: str = LETTERS) -> str:
    return "".join(_RANDOM.choices(letters, k=count))


def hexadecimal(count: int) -> str:
    return some(count, "0123456789abcdef")


def _web_token(issuer: str) -> str:
    def part(document: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    head, claims = {"alg": "RS256", "typ": "JWT"}, {"iss": issuer, "sub": some(20)}
    return f"{part(head)}.{part(claims)}.{some(86)}"


def _pem(kind: str, lines: int) -> str:
    body = "\n".join(some(64) for _ in range(lines))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----\n"


def _planted() -> dict[str, tuple[str, str]]:
    """Return id of a rule to the secret value and the text that has it."""
    upper, base = string.ascii_uppercase + "234567", LETTERS + "+/"
    plain = {  # the value stands by itself
        "age-key": f"AGE-SECRET-KEY-1{some(58, string.ascii_uppercase + string.digits)}",
        "jwt": _web_token("kubernetes/serviceaccount"),
        "aws-access-key": f"AKIA{some(16, upper)}",
        "google-api-key": f"AIza{some(35)}",
        "google-oauth-token": f"ya29.{some(60)}",
        "google-client-secret": f"GOCSPX-{some(28)}",
        "digitalocean-token": f"dop_v1_{hexadecimal(64)}",
        "github-token": f"ghp_{some(36)}",
        "github-fine-token": f"github_pat_{some(22)}_{some(59)}",
        "gitlab-token": f"glpat-{some(20)}",
        "bitbucket-token": f"ATATT3{some(186)}",
        "npm-token": f"npm_{some(36)}",
        "pypi-token": f"pypi-AgEIcHlwaS5vcmc{some(140)}",
        "docker-token": f"dckr_pat_{some(27)}",
        "slack-token": f"xoxb-{some(12, string.digits)}-{some(24)}",
        "stripe-key": f"sk_live_{some(24)}",
        "sendgrid-key": f"SG.{some(22)}.{some(43)}",
        "mailgun-key": f"key-{hexadecimal(32)}",
        "twilio-key": f"SK{hexadecimal(32)}",
        "telegram-token": f"{some(10, string.digits)}:AA{some(33)}",
        "shopify-token": f"shpat_{hexadecimal(32)}",
        "grafana-token": f"glsa_{some(32)}_{hexadecimal(8)}",
        "databricks-token": f"dapi{hexadecimal(32)}",
        "vault-token": f"hvs.{some(24)}",
        "terraform-token": f"{some(14)}.atlasv1.{some(67)}",
        "linear-token": f"lin_api_{some(40)}",
        "password-hash": f"$2b$12${some(53)}",
    }
    login = base64.b64encode(f"robot:{some(20)}".encode()).decode()
    hooks = f"T{some(9, upper)}/B{some(9, upper)}/{some(24)}"
    within = {  # the value has a name or a form around it
        "wireguard-key": (f"{some(43, base)}=", "PrivateKey = {}\n"),
        "kubernetes-client-key": (some(200, base), "    client-key-data: {}\n"),
        "aws-secret-key": (some(40, base), "aws_secret_access_key = {}\n"),
        "aws-session-token": (some(200, base), "aws_session_token = {}\n"),
        "azure-account-key": (f"{some(86, base)}==", "AccountName=a;AccountKey={};"),
        "azure-shared-key": (f"{some(43, base)}=", "SharedAccessKey={};"),
        "azure-signature": (some(46), "?sv=2024&sig={}&se=1"),
        "registry-auth": (login, '{{"auths": {{"registry.test": {{"auth": "{}"}}}}}}'),
        "slack-webhook": (hooks, "https://hooks.slack.com/services/{}"),
        "url-password": (some(14), "postgres://app:{}@db.test:5432/app"),
        "dsn-password": (some(14), "host=db.test user=app password={} dbname=app"),
        "netrc-password": (some(14), "machine git.test login app password {}\n"),
        "shadow-hash": (f"$6${some(16)}${some(86)}", "root:{}:19000:0:99999:7:::\n"),
        "authorization": (some(40), "GET / HTTP/1.1\r\nAuthorization: Bearer {}\r\n"),
        "named-value": (some(18), "APP_DB_PASSWORD={}"),
        "json-value": (some(18), '{{"client_secret": "{}"}}'),
    }
    key = _pem("RSA ", 20)
    return {
        "private-key": (key[: key.rindex("\n-----END") + 1], key),
        **{name: (value, value) for name, value in plain.items()},
        **{name: (value, text.format(value)) for name, (value, text) in within.items()},
    }


PLANTED = _planted()


def planted_archive(folder: Path) -> Path:
    """Write a checkpoint with every secret in one of its parts."""
    images = {f"checkpoint/{p.name}": p.read_bytes() for p in (IMAGES / "counter").iterdir()}
    texts = {name: text.encode() for name, (_, text) in PLANTED.items()}
    names = sorted(texts)
    in_memory, in_files, in_metadata = names[::2], names[1::4], names[3::4]
    pages = bytearray(images["checkpoint/pages-1.img"])
    for number, name in enumerate(in_memory):
        at = number // 2 * 4096 + number % 2 * 2000 + 100  # two on a page
        text = b"\0" + texts[name] + b"\0"
        assert at + len(text) < len(pages)
        pages[at : at + len(text)] = text
    images["checkpoint/pages-1.img"] = bytes(pages)
    delta = tar_of({f"srv/{name}": b"# a file\n" + texts[name] for name in in_files})
    spec = {"annotations": {name: texts[name].decode() for name in in_metadata}}
    members = {
        **images,
        "config.dump": b"{}",
        "spec.dump": json.dumps(spec).encode(),
        "rootfs-diff.tar": delta,
    }
    path = folder / "planted.tar"
    path.write_bytes(tar_of(members))
    return path
