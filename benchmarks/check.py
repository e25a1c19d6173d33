"""Does a proxy do what the route table says, before and after it is measured?"""

from __future__ import annotations

import http.client
import re

PLAIN_REQUESTS = 400
MOST_V2 = 0.2
"""Of requests without the cookie; 10 % are meant, and 20 % would be an accident of one in a thousand million."""
COOKIES = ("user=jason", "a=b; user=jason", "user=jason; a=b", "a=b;user=jason;c=d")
OTHERS = ("user=jasonx", "xuser=jason", "user=mary")


def routes(port: int) -> str:
    """What is wrong with a proxy's routing; empty when nothing is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        for cookie in COOKIES:
            if (version := _ask(connection, {"cookie": cookie})) != "v2":
                return f"cookie {cookie!r} went to {version}"
        plain = [_ask(connection, {}) for _ in range(PLAIN_REQUESTS)]
        other = [_ask(connection, {"cookie": cookie}) for cookie in OTHERS * (PLAIN_REQUESTS // len(OTHERS))]
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error!r}"
    finally:
        connection.close()
    if strange := {version for version in plain + other if version not in ("v1", "v2")}:
        return f"answers from {sorted(strange)}"
    for name, seen in (("requests without a cookie", plain), ("requests with other cookies", other)):
        share = seen.count("v2") / len(seen)
        if share > MOST_V2 or (seen is plain and share == 0):
            return f"{share:.0%} of {name} went to v2"
    return ""


def _ask(connection: http.client.HTTPConnection, headers: dict[str, str]) -> str:
    connection.request("GET", "/", headers={"host": "bench.test", **headers})
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    found = re.search(r"Version: (\w+)", text)
    return found[1] if found else f"status {answer.status}"


def counted(admin_port: int) -> int | None:
    """How many requests the proxy's own metrics saw; None where it shows none in Prometheus' format."""
    connection = http.client.HTTPConnection("127.0.0.1", admin_port, timeout=10)
    try:
        connection.request("GET", "/stats/prometheus")
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    values = re.findall(r"^envoy_cluster_upstream_rq_total\{[^}]*\} ([0-9.e+]+)$", text, re.MULTILINE)
    return round(sum(map(float, values))) if answer.status == 200 and values else None
