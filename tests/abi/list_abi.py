#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes a C program that prints the binary interface of public headers, a
line each: functions and callbacks as they are declared, the values of
enumerations, the sizes and offsets of structures: list_abi.py HEADER...

They are written in the house style, which is all that is understood here.
"""

import pathlib
import re
import sys

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*$", re.MULTILINE)
ATTRIBUTE = re.compile(r"\s*\b(?:G_GNUC_\w+(?:\([^)]*\))?|GST_PE_META_API\b)")
AUTOPTR = re.compile(r"\bG_DEFINE_AUTOPTR_CLEANUP_FUNC\([^)]*\)")
OBJECT = re.compile(r"\bG_DECLARE_FINAL_TYPE\(\w+, (\w+),[^)]*\)")
TYPEDEF = re.compile(r"typedef (enum|struct) (?:\w+ )?\{(.*)\} (\w+)$")
NAME = re.compile(r"(\w+)(?:\[[\w -]*\])*$")


def split_statements(text):
    """What ends with a semicolon outside all braces, blanks made one."""
    text = ATTRIBUTE.sub("", DIRECTIVE.sub("", COMMENT.sub("", text)))
    text = re.sub(r"\bG_(BEGIN|END)_DECLS\b", "", AUTOPTR.sub("", text))
    text = OBJECT.sub(r"GType \1_get_type(void);", text)
    statement, depth = "", 0
    for char in text:
        depth += (char == "{") - (char == "}")
        if char == ";" and depth == 0:
            yield " ".join(statement.split())
            statement = ""
        else:
            statement += char


def split_fields(body):
    """(name, declaration) of each field; "int x, y" are two."""
    for declaration in filter(None, (d.strip() for d in body.split(";"))):
        for part in declaration.split(","):
            yield NAME.search(part.strip()).group(1), declaration


def print_statement(statement):
    """The lines of C that print one statement's part of the interface."""
    match = TYPEDEF.match(statement)
    if not match:
        if not re.match(r"typedef struct (\w+) \1$", statement):
            yield f'puts("{statement.replace("* ", "*")}");'
        return
    kind, body, name = match.groups()
    if kind == "enum":
        for value in filter(None, (v.strip() for v in body.split(","))):
            value = value.split("=")[0].strip()
            yield f'printf("enum {name} {value} %d\\n", (int){value});'
        return
    yield f'printf("struct {name} %zu\\n", sizeof({name}));'
    for field, declaration in split_fields(body):
        yield (f'printf("field {name}.{field} %zu %zu {declaration}\\n", '
               f'offsetof({name}, {field}), sizeof((({name} *)0)->{field}));')


def main():
    headers = [pathlib.Path(name).resolve() for name in sys.argv[1:]]
    for header in headers:
        print(f'#include "{header}"')
    print("#include <stddef.h>\n#include <stdio.h>\n")
    print("int\nmain(void)\n{")
    text = "".join(header.read_text() for header in headers)
    for statement in split_statements(text):
        for line in print_statement(statement):
            print(f"    {line}")
    print("    return 0;\n}")


if __name__ == "__main__":
    main()
