"""The protobuf document, read back by hand."""

from collections.abc import Iterator

import orjson

from mesh.apiserver import openapi


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(data):
        tag = number()
        assert tag & 7 == 2
        length = number()
        yield tag >> 3, data[at : at + length]
        at += length


async def test_each_patch_takes_a_dry_run() -> None:
    document, _ = await openapi.v2()
    parts = dict(fields(document))
    assert (parts[1], set(parts)) == (b"2.0", {1, 2, 8, 9})
    seen = {}
    for number, path in fields(parts[8]):
        assert number == 2
        entry = dict(fields(path))
        operation = list(fields(dict(fields(entry[2]))[8]))
        names = [
            dict(fields(dict(fields(dict(fields(dict(fields(data))[1]))[2]))[3]))[4]
            for number, data in operation
            if number == 8
        ]
        assert b"dryRun" in names
        extensions = [dict(fields(data)) for number, data in operation if number == 13]
        kinds = {found[1]: orjson.loads(dict(fields(found[2]))[2]) for found in extensions}
        seen[entry[1].decode()] = kinds[b"x-kubernetes-group-version-kind"]
    assert seen["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"] == {
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
    }
