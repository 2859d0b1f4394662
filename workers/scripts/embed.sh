#!/bin/sh
# embed.sh OUT SCRIPTS: turns each SCRIPTS/*.lua into a C string with its SHA-1 (OUT/scripts.c, OUT/scripts.h).
# "--#include lib/x.lua" is replaced by that file; comment lines and indentation are dropped, since Redis keeps and
# compiles the text; OUT/NAME.lua is the same text for tests that talk to Redis without C.
# A script whose first lines hold "-- Reads only." is marked as not writing, one with "-- Only removes." as one that needs
# no memory.
#
# Every writing script begins with lib/rights.lua: whether this user may run all the commands that the script names, on all
# the keys that it names. Redis asks at each command anyway, but only when it comes to it, and what was written before
# stays. "--#rights WORDS" has the same asked of every script together, and of WORDS. OUT/commands lists them: the least
# that a user of ours must have.
set -eu
out=$1 scripts=$2
# Made aside and moved, so that two builds at once never see half a file.
tmp=$(mktemp -d "$out/embed.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

flat() {
    awk -v dir="$scripts" '
        /^--#include / { file = dir "/" $2; while ((getline line < file) > 0) emit(line); close(file); next }
        { emit($0) }
        function emit(text) { sub(/^[ \t]+/, "", text); if (text != "" && text !~ /^--/) print text }' "$1"
}

marked() { # script mark
    head -n 12 "$scripts/$1.lua" | grep -q "^-- $2"
}

# What the text calls, and the beginnings of keys that it names.
commands_of() {
    grep -ohE "call\('[A-Z]+'" "$@" | tr -cd "A-Z\n" | sort -u
}
keys_of() {
    grep -ohE "'(:[a-z]+)+:?'" "$@" | sort -u
}

rights() { # commands keys
    ask="may('EXISTS'$(printf ', k .. %s' $2)) and may('DEL'$(printf ', k .. %s' $2))"
    for command in $1; do
        case $command in
        EVAL*) ask="$ask and may('$command', '', '1', k)" ;;
        *) ask="$ask and may('$command', k)" ;;
        esac
    done
    flat "$scripts/lib/rights.lua" | sed -e "s/@ASK@/$ask/" -e "s/@COMMANDS@/DEL EXISTS $1/"
}

words() {
    tr '\n' ' ' | sed 's/ $//'
}

{
    echo '/* Made by workers/scripts/embed.sh; do not edit. */'
    echo '#ifndef IVR_GEN_SCRIPTS_H'
    echo '#define IVR_GEN_SCRIPTS_H'
    echo '#include "common/redis.h"'
    for f in "$scripts"/*.lua; do
        echo "extern const struct redis_script script_$(basename "$f" .lua);"
    done
    echo '#endif'
} > "$tmp/scripts.h"

for f in "$scripts"/*.lua; do
    flat "$f" > "$tmp/$(basename "$f" .lua).lua"
done
{
    commands_of "$tmp"/*.lua
    sed -n 's/^--#rights //p' "$scripts"/*.lua | tr ' ' '\n'
    printf 'DEL\nEXISTS\n'
} | sort -u > "$tmp/commands"
all_keys=$(keys_of "$tmp"/*.lua | words)

echo '#include "scripts.h"' > "$tmp/scripts.c"
for f in "$scripts"/*.lua; do
    name=$(basename "$f" .lua)
    text=$tmp/$name.lua
    writes=true removes=false
    if marked "$name" 'Reads only\.'; then writes=false; fi
    if marked "$name" 'Only removes\.'; then removes=true; fi
    if grep -q '^--#rights ' "$f"; then
        asked=$(rights "$(words < "$tmp/commands")" "$all_keys")
    elif $writes; then
        asked=$(rights "$(commands_of "$text" | words)" "$(keys_of "$text" | words)")
    else
        asked=
    fi
    if [ -n "$asked" ]; then
        {
            grep '^#!' "$text" || true
            printf '%s\n' "$asked"
            grep -v '^#!' "$text"
        } > "$tmp/asked"
        mv "$tmp/asked" "$text"
    fi
    sha=$(sha1sum < "$text" | cut -d' ' -f1)
    len=$(wc -c < "$text" | tr -d ' ')
    {
        echo "const struct redis_script script_$name = {"
        echo "    \"$name\","
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$text"
        echo "    , $len, \"$sha\", $writes, $removes};"
    } >> "$tmp/scripts.c"
done
mv "$tmp"/*.lua "$tmp/scripts.h" "$tmp/scripts.c" "$tmp/commands" "$out"
