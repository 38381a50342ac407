"""`toolkit keys`: who may call over HTTP."""

import json

from tests.cli.conftest import Run


def test_a_key_is_printed_once_and_listed_by_how_it_begins(run: Run) -> None:
    made = run("keys", "create", "laptop", "--user", "ada", "--scope", "search", "--days", "30")
    secret = made.stdout.strip()
    assert secret.startswith("tk_")
    assert "It is ada's, for search." in made.stderr
    listed = run("keys", "list").stdout
    assert secret not in listed
    assert secret[:9] in listed
    [row] = json.loads(run("keys", "list", "--user", "ada", "--json").stdout)
    assert (row["name"], row["user"], row["scopes"], row["last_used_at"]) == ("laptop", "ada", ["search"], None)
    assert secret not in json.dumps(row)
    assert json.loads(run("keys", "list", "--user", "bob", "--json").stdout) == []


def test_a_program_reads_the_key_from_json(run: Run) -> None:
    told = json.loads(run("keys", "create", "ci", "--json").stdout)
    assert told["key"].startswith("tk_")
    assert told["user"] == "ci"


def test_a_key_is_revoked_and_forgotten(run: Run) -> None:
    run("keys", "create", "laptop")
    assert "(laptop, laptop) is revoked." in run("keys", "revoke", "laptop").stdout
    assert "revoked" in run("keys", "list").stdout
    assert run("keys", "forget").stdout == "1 key forgotten.\n"
    assert "`toolkit keys create NAME` makes one" in run("keys", "list").stderr


def test_what_cannot_be_made_or_revoked_is_one_line(run: Run) -> None:
    refused = run("keys", "revoke", "laptop")
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1
    assert run("keys", "create", "x", "--scope", "everything").exit_code == 2


def test_doctor_counts_keys_and_warns_of_weak_ones_without_showing_any(run: Run) -> None:
    run("keys", "create", "laptop")
    run("keys", "create", "old")
    run("keys", "revoke", "old")
    weak = {"TOOLKIT_API_KEYS": "hunter2", "TOOLKIT_SECRET_KEY": "swordfish"}
    shown = run("doctor", **weak, TOOLKIT_JWKS_URL="https://login.example.org/jwks").stdout
    assert "1 key in the database, 1 revoked or expired" in shown
    assert "1 key in TOOLKIT_API_KEYS" in shown
    assert "TOOLKIT_SECRET_KEY has fewer than 32 bytes" in shown
    assert "set TOOLKIT_JWT_AUDIENCE and TOOLKIT_JWT_ISSUER" in shown
    assert not any(secret in shown for secret in weak.values())
