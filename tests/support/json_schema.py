# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program writes against the JSON Schema that users are given.

Understands those keywords that our schemas use, and no others, so that it needs
no module that is not there. Stricter than a schema, it refuses keys that the
schema does not name: what is written is documented.
"""

import json
import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool,
         "integer": int, "number": (int, float), "null": type(None)}
SEEN = set()  # (definition, key) of the values that were checked


class Refused(Exception):
    pass


def has_type(value, name):
    if isinstance(value, bool) and name in ("integer", "number"):
        return False
    return isinstance(value, TYPES[name])


def check_object(root, names, value, where):
    for key, item in value.items():
        if key not in names:
            raise Refused(f"{where}: {key} is not in the schema")
        SEEN.add((id(names), key))
        check(root, names[key], item, f"{where}.{key}")


def check_one_of(root, choices, value, where):
    reasons = []
    for choice in choices:
        try:
            check(root, choice, value, where)
        except Refused as reason:
            reasons.append(str(reason))
    if len(reasons) != len(choices) - 1:
        raise Refused(f"{where} is {len(choices) - len(reasons)} of the "
                      f"choices: {'; '.join(reasons)[:300]}")


def check_keyword(root, schema, keyword, value, where):
    """Whether value meets one keyword of the schema."""
    wanted = schema[keyword]
    if keyword == "type":
        names = wanted if isinstance(wanted, list) else [wanted]
        return any(has_type(value, name) for name in names)
    if keyword == "const":
        return value == wanted
    if keyword == "enum":
        return value in wanted
    if keyword == "pattern":
        return re.search(wanted, value, re.ASCII) is not None
    if keyword in ("minimum", "maximum"):
        return value is None or (value >= wanted if keyword == "minimum"
                                 else value <= wanted)
    if keyword == "required":
        return all(key in value for key in wanted)
    if keyword == "properties":
        check_object(root, wanted, value, where)
    elif keyword == "items":
        for number, item in enumerate(value):
            check(root, wanted, item, f"{where}[{number}]")
    elif keyword == "oneOf":
        check_one_of(root, wanted, value, where)
    elif keyword == "$ref":
        check(root, root["$defs"][wanted.removeprefix("#/$defs/")], value, where)
    elif keyword not in ("$schema", "$defs", "title", "description"):
        raise KeyError(f"{keyword} is not understood here")
    return True


def check(root, schema, value, where="line"):
    for keyword in schema:
        if not check_keyword(root, schema, keyword, value, where):
            raise Refused(f"{where}: {keyword} is {schema[keyword]}, "
                          f"not {json.dumps(value)[:80]}")


def is_valid(schema, value):
    try:
        check(schema, schema, value)
    except Refused as reason:
        print(f"# {reason}")
        return False
    return True


def find_unseen(schema):
    """Keys of the schema that no line had."""
    for name, part in schema["$defs"].items():
        names = part.get("properties", {})
        for key in names:
            if (id(names), key) not in SEEN:
                yield f"{name}.{key}"
