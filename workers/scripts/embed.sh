#!/bin/sh
# embed.sh OUT SCRIPTS: turns each SCRIPTS/*.lua into a C string with its SHA-1 (OUT/scripts.c, OUT/scripts.h).
# "--#include lib/x.lua" is replaced by that file; comment lines and indentation are dropped, since Redis keeps and
# compiles the text; OUT/NAME.lua is the same text for tests that talk to Redis without C.
# A script whose first lines hold "-- Reads only." is marked as not writing.
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

echo '#include "scripts.h"' > "$tmp/scripts.c"
for f in "$scripts"/*.lua; do
    name=$(basename "$f" .lua)
    flat "$f" > "$tmp/$name.lua"
    sha=$(sha1sum < "$tmp/$name.lua" | cut -d' ' -f1)
    len=$(wc -c < "$tmp/$name.lua" | tr -d ' ')
    writes=true
    if head -n 12 "$f" | grep -q '^-- Reads only\.'; then writes=false; fi
    {
        echo "const struct redis_script script_$name = {"
        echo "    \"$name\","
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$tmp/$name.lua"
        echo "    , $len, \"$sha\", $writes};"
    } >> "$tmp/scripts.c"
done
mv "$tmp"/*.lua "$tmp/scripts.h" "$tmp/scripts.c" "$out"
