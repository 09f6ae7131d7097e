// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_headers.c - the public headers compile alone, in C and in C++: the
// build puts each into a file of its own, made from check_headers.in. Linking
// them with this program is the test.

int
main(void)
{
    return 0;
}
