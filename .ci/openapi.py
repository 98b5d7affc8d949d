"""Validates the OpenAPI 3.1 document on standard input by the JSON schema of its specification."""

import json
import sys
from urllib.parse import unquote

from jsonschema import Draft202012Validator

SPECIFICATION = "tests/fixtures/openapi/schema.json"


def broken_references(node, document):
    """Yields the references to what is not in the document: no schema can forbid these."""
    if isinstance(node, list):
        for item in node:
            yield from broken_references(item, document)
    elif isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str) and not resolves(reference, document):
            yield reference
        for value in node.values():
            yield from broken_references(value, document)


def resolves(reference, document):
    file, _, pointer = reference.partition("#")
    if file:
        return False
    for part in pointer.split("/")[1:]:
        part = unquote(part).replace("~1", "/").replace("~0", "~")
        if not isinstance(document, dict) or part not in document:
            return False
        document = document[part]
    return True


with open(SPECIFICATION, encoding="utf-8") as file:
    specification = json.load(file)
# It leaves open which dialect schemas are written in. Unless a document says otherwise it is this one.
specification["$defs"]["schema"]["$ref"] = Draft202012Validator.META_SCHEMA["$id"]

document = json.load(sys.stdin)
faults = [
    f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
    for error in Draft202012Validator(specification).iter_errors(document)
]
faults += [f"{reference}: is not in the document" for reference in broken_references(document, document)]
if faults:
    sys.exit("\n".join(faults))
