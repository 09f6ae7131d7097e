# bash completion of the programs of gst-perception-encoder
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# docs/man/completion.bash with what each program's --help says. The arrays have
# the keys "PROGRAM" and "PROGRAM COMMAND". _pe_takes says what an option takes
# ("KEY --option"), or what stands without one ("KEY"): "words" and these,
# "folders", "files" and their endings, "lists" of such files, or "nothing" that
# can be completed. Where nothing fits, any file does.
declare -gA _pe_commands _pe_options _pe_takes

# WORD ENDING...: folders, and files that have one of these endings, in any case
_pe_files() {
    local file ending found
    mapfile -t found < <(compgen -f -- "$1")
    compopt -o filenames 2>/dev/null
    for file in "${found[@]}"; do
        if [ -d "${file/#~\//$HOME/}" ]; then
            COMPREPLY+=("$file")
            continue
        fi
        for ending in "${@:2}"; do
            if [[ ${file,,} == *$ending ]]; then
                COMPREPLY+=("$file")
                break
            fi
        done
    done
}

# WORD CANDIDATE...
_pe_words() {
    local candidate
    for candidate in "${@:2}"; do
        [[ $candidate != "$1"* ]] || COMPREPLY+=("$candidate")
    done
}

# WORD TAKES: what _pe_takes says
_pe_values() {
    local what
    read -ra what <<<"$2"
    case ${what[0]-} in
    words) _pe_words "$1" "${what[@]:1}" ;;
    folders) _pe_files "$1" ;;
    files | lists) _pe_files "$1" "${what[@]:1}" ;;
    nothing) compopt +o default 2>/dev/null ;;
    esac
}

# KEY INDEX: what the option takes, if the word before that of INDEX is one, or if
# words of its list are between them
_pe_taken() {
    local i=$2 taken
    while ((--i > 0)); do
        [[ ${COMP_WORDS[i]} == -* ]] || continue
        taken=${_pe_takes["$1 ${COMP_WORDS[i]}"]-}
        if ((i == $2 - 1)) || [[ $taken == lists* ]]; then
            printf '%s' "$taken"
        fi
        return
    done
}

_pe_complete() {
    local IFS=$' \t\n' key=${COMP_WORDS[0]##*/} first=1 index=$COMP_CWORD words takes
    local word=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    # bash takes --model=FILE for three words.
    if [ "$word" = = ]; then
        word=
    elif [ "${COMP_WORDS[COMP_CWORD - 1]}" = = ]; then
        index=$((COMP_CWORD - 1))
    fi
    if [ "$COMP_CWORD" -gt 1 ] &&
        [ -n "${_pe_options["$key ${COMP_WORDS[1]}"]-}" ]; then
        key="$key ${COMP_WORDS[1]}"
        first=2
    fi
    takes=$(_pe_taken "$key" "$index")
    if [ -n "$takes" ]; then
        _pe_values "$word" "$takes"
    elif [[ $word == -* ]]; then
        read -ra words <<<"${_pe_options["$key"]-}"
        _pe_words "$word" "${words[@]}"
    else
        _pe_values "$word" "${_pe_takes["$key"]-}"
        read -ra words <<<"${_pe_commands["$key"]-}"
        [ "$COMP_CWORD" -ne "$first" ] || _pe_words "$word" "${words[@]}"
    fi
}
