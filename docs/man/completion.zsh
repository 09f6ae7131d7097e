# SPDX-License-Identifier: LGPL-2.1-or-later
#
# zsh completion of the programs of gst-perception-encoder: docs/man/completion.zsh
# between the line for compinit and what each program's --help says. _pe_specs
# sets `reply` to what _arguments takes, for a "PROGRAM" or a "PROGRAM COMMAND".

# Both what may stand first and the files behind it: WORDS ENDINGS, each in quotes
_pe_first() {
    _alternative "words:command:($1)" "files:file:_files -g '$2'"
}

_pe() {
    local -a reply
    if ((CURRENT > 2)) && _pe_specs "$service $words[2]"; then
        shift words
        ((CURRENT--))
    else
        _pe_specs "$service"
    fi
    _arguments -s -S : $reply
}
