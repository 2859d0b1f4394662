#!/bin/sh
# library.sh OUT FILE.lua...: joins the verbs and their parts, those in a folder "lib", into one library of Redis Functions:
# OUT/library.lua, and OUT/scripts.c, OUT/scripts.h with the same text as a C string; OUT/layout.h is lib/layout.lua for C.
#
# Each file is a module of plain Lua: it says what it needs with require('part') and returns what it is, a verb one function of
# (keys, args). A verb becomes a function of Redis, LIBRARY_VERB. LIBRARY is "ivr_" and a hash of the text, so that the libraries of
# two versions stand side by side in one Redis: names of functions are unique among all libraries.
#
# While Redis loads a library, nothing but redis.register_function is there, neither cmsgpack nor math. So modules are made by the
# first call that needs them, once for all calls to come, which is what makes a library cheaper than scripts.
#
# Comment lines and indentation are dropped, since Redis keeps the text, and the names of lib/layout.lua become their numbers.
# A verb whose first lines hold "-- Reads only." is marked as not writing, one with "-- Only removes." as one that needs no memory.
#
# Every verb that writes is asked for its rights first (lib/rights.lua): for the commands and keys that it and its parts name.
# "--#rights WORDS" has the same asked of every verb together, and of WORDS. OUT/commands lists them: the least that a user of ours
# must have.
set -eu
out=$1
shift
# Made aside and moved, so that two builds at once never see half a file.
tmp=$(mktemp -d "$out/library.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# "NAME FILE" a row, by name; a part's or a verb's.
for file; do
    case $file in
    */lib/*) printf '%s %s\n' "$(basename "$file" .lua)" "$file" >> "$tmp/parts" ;;
    *) printf '%s %s\n' "$(basename "$file" .lua)" "$file" >> "$tmp/verbs" ;;
    esac
done
for rows in parts verbs; do LC_ALL=C sort -o "$tmp/$rows" "$tmp/$rows"; done
parts=$(cut -d ' ' -f 1 "$tmp/parts")
verbs=$(cut -d ' ' -f 1 "$tmp/verbs")

part_file() { # name
    sed -n "s/^$1 //p" "$tmp/parts"
}
verb_file() { # name
    sed -n "s/^$1 //p" "$tmp/verbs"
}

marked() { # verb mark
    head -n 12 "$(verb_file "$1")" | grep -q "^-- $2\."
}

# The files of the modules that a file needs, itself among them.
closure() { # file...
    echo "$@" | tr ' ' '\n' > "$tmp/needed"
    while :; do
        xargs sed -n "s/^local [a-z_]* = require('\([a-z_]*\)')$/\1/p" < "$tmp/needed" |
            while read -r part; do part_file "$part"; done | sort -u - "$tmp/needed" > "$tmp/more"
        cmp -s "$tmp/more" "$tmp/needed" && break
        mv "$tmp/more" "$tmp/needed"
    done
    cat "$tmp/needed"
}

# What files call, and the beginnings of keys that they name.
commands_of() {
    sed 's/^ *--.*//' "$@" | grep -ohE "call\('[A-Z]+'" | tr -cd "A-Z\n" | sort -u
}
keys_of() {
    sed 's/^ *--.*//' "$@" | grep -ohE "'(:[a-z]+)+:?'" | sort -u
}
words() {
    tr '\n' ' ' | sed 's/ $//'
}

# The question before a call, as a condition: EXISTS and DEL of every key, and every command on one.
rights() { # commands keys
    printf "may('EXISTS'%s) and may('DEL'%s)" "$(printf ', k .. %s' $2)" "$(printf ', k .. %s' $2)"
    for command in $1; do
        case $command in
        FCALL) printf " and may('FCALL', '', '1', k)" ;;
        *\|*) printf " and may('%s', '%s')" "${command%|*}" "${command#*|}" ;;
        *) printf " and may('%s', k)" "$command" ;;
        esac
    done
}

# "S.SEQ 1" a row of lib/layout.lua.
awk '/^layout\.[A-Z_]+ = \{$/ { table = substr($1, 8) }
     /^  [A-Z_]+ = [0-9]+,/ { sub(/,.*/, "", $3); print table "." $1, $3 }
     /^}$/ { table = "" }' "$(part_file layout)" > "$tmp/layout"

# The text of files as Redis gets it.
bare() { # file...
    awk 'FNR == NR { number[$1] = $2; next }
        { sub(/^[ \t]+/, "") }
        $0 == "" || /^--/ { next }
        {
            rest = $0; line = ""
            while (match(rest, /[A-Za-z_][A-Za-z_0-9.]*/)) {
                name = substr(rest, RSTART, RLENGTH)
                line = line substr(rest, 1, RSTART - 1) (name in number ? number[name] : name)
                rest = substr(rest, RSTART + RLENGTH)
            }
            print line rest
        }' "$tmp/layout" "$@"
}

{
    commands_of "$@"
    sed -n 's/^--#rights //p' "$@" | tr ' ' '\n'
    printf 'DEL\nEXISTS\n'
} | sort -u > "$tmp/commands"

# What stands before the verb's call: nothing where it only reads.
ask() { # verb file...
    local verb=$1 file commands keys files
    file=$(verb_file "$verb")
    shift
    if grep -q '^--#rights ' "$file"; then
        files="$*"
        commands=$(grep -vxE 'DEL|EXISTS' "$tmp/commands" | words)
    elif marked "$verb" 'Reads only'; then
        return
    else
        files=$(closure "$file")
        commands=$(commands_of $files | grep -vxE 'DEL|EXISTS' | words)
    fi
    keys=$(keys_of $files | words)
    echo 'local may, k = redis.acl_check_cmd, keys[1]'
    echo "if not ($(rights "$commands" "$keys")) then return require('rights').refusal('DEL EXISTS $commands', k) end"
}

# LIBRARY stands for the name, which depends on the rest.
{
    cat << 'LUA'
#!lua name=LIBRARY
local makers, made = {}, {}
local function require(name)
local module = made[name]
if not module then
module = makers[name]()
made[name] = module
end
return module
end
LUA
    for part in $parts; do
        echo "makers['$part'] = function()"
        bare "$(part_file "$part")"
        echo 'end'
    done
    for verb in $verbs; do
        echo "makers['verb $verb'] = function()"
        bare "$(verb_file "$verb")"
        echo 'end'
        flags=
        if marked "$verb" 'Reads only'; then flags="'no-writes'"; fi
        if marked "$verb" 'Only removes'; then flags="'allow-oom'"; fi
        echo "redis.register_function{function_name = 'LIBRARY_$verb', flags = {$flags}, callback = function(keys, args)"
        ask "$verb" "$@"
        echo "return require('verb $verb')(keys, args)"
        echo 'end}'
    done
} > "$tmp/text"
name=ivr_$(sha1sum < "$tmp/text" | cut -c 1-12)
sed "s/LIBRARY/$name/" "$tmp/text" > "$tmp/library.lua"

{
    echo '/* Made of workers/calls/lib/layout.lua by workers/store/library.sh; do not edit. Positions count from 0. */'
    echo '#ifndef IVR_GEN_LAYOUT_H'
    echo '#define IVR_GEN_LAYOUT_H'
    awk '{
            split($1, name, ".")
            if (name[1] != table) { if (table != "") print "};"; table = name[1]; print "enum {" }
            position = table ~ /^(S|P|A|E|EVENT|RECORD)$/
            printf "    LAYOUT_%s_%s = %d,\n", table, name[2], position ? $2 - 1 : $2
        }
        END { print "};" }' "$tmp/layout"
    echo '#endif'
} > "$tmp/layout.h"

{
    echo '/* Made by workers/store/library.sh; do not edit. */'
    echo '#ifndef IVR_GEN_SCRIPTS_H'
    echo '#define IVR_GEN_SCRIPTS_H'
    echo '#include "common/redis/redis.h"'
    echo 'extern const struct redis_library script_library;'
    echo '/* All in one array: a script is known by its place in it (workers/store/batch.c). */'
    echo 'enum {'
    for verb in $verbs; do
        echo "    SCRIPT_$verb,"
    done
    echo '    SCRIPT_COUNT'
    echo '};'
    echo 'extern const struct redis_script scripts[SCRIPT_COUNT];'
    for verb in $verbs; do
        echo "#define script_$verb scripts[SCRIPT_$verb]"
    done
    echo '#endif'
} > "$tmp/scripts.h"

{
    echo '#include "scripts.h"'
    echo 'const struct redis_library script_library = {'
    echo "    \"$name\","
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$tmp/library.lua"
    echo "    , $(wc -c < "$tmp/library.lua" | tr -d ' ')};"
    echo 'const struct redis_script scripts[SCRIPT_COUNT] = {'
    for verb in $verbs; do
        writes=true removes=false
        if marked "$verb" 'Reads only'; then writes=false; fi
        if marked "$verb" 'Only removes'; then removes=true; fi
        echo "    [SCRIPT_$verb] = {\"$verb\", \"${name}_$verb\", $writes, $removes},"
    done
    echo '};'
} > "$tmp/scripts.c"
mv "$tmp/library.lua" "$tmp/commands" "$tmp/layout.h" "$tmp/scripts.h" "$tmp/scripts.c" "$out"
