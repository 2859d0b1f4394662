#!/bin/sh
# embed.sh OUT SCRIPTS: turns each SCRIPTS/*.lua into a C string with its SHA-1 (OUT/scripts.c, OUT/scripts.h).
# "--#include lib/x.lua" is replaced by that file; comment lines and indentation are dropped, since Redis keeps and
# compiles the text; OUT/NAME.lua is the same text for tests that talk to Redis without C.
# A script whose first lines hold "-- Reads only." is marked as not writing.
set -eu
out=$1 scripts=$2

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
} > "$out/scripts.h.tmp"

echo '#include "scripts.h"' > "$out/scripts.c.tmp"
for f in "$scripts"/*.lua; do
    name=$(basename "$f" .lua)
    flat "$f" > "$out/$name.lua"
    sha=$(sha1sum < "$out/$name.lua" | cut -d' ' -f1)
    len=$(wc -c < "$out/$name.lua" | tr -d ' ')
    writes=true
    if head -n 12 "$f" | grep -q '^-- Reads only\.'; then writes=false; fi
    {
        echo "const struct redis_script script_$name = {"
        echo "    \"$name\","
        sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$out/$name.lua"
        echo "    , $len, \"$sha\", $writes};"
    } >> "$out/scripts.c.tmp"
done
mv "$out/scripts.h.tmp" "$out/scripts.h"
mv "$out/scripts.c.tmp" "$out/scripts.c"
