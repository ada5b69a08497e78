#!/usr/bin/env bash
# The checkers on this tree, and each of them on a small tree with one seeded violation that it must find.
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0

report() { # report STATUS NAME: STATUS 0 is a pass
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

# fails_on TOOL NAME PATH CONTENT WORDS: TOOL refuses a tree that holds PATH with CONTENT, and says WORDS.
fails_on() {
    rm -rf "$work/tree"
    mkdir -p "$(dirname "$work/tree/$3")"
    printf "$4" >"$work/tree/$3"
    out=$("$1" "$work/tree") && found=1 || found=0
    case $out in *"$5"*) ;; *) found=1 ;; esac
    report $found "$(basename "$1") finds $2"
}

tools/check-layers
report $? "layers of this tree"
tools/check-text
report $? "text of this tree"

layers=tools/check-layers text=tools/check-text
fails_on $layers "an include upwards" src/num/a.c '#include "base/base.h"\n#include "isa/isa.h"\n' 'src/num/a.c:2'
fails_on $layers "a header upwards" src/base/a.h '#  include "num/num.h"\n' 'src/base/a.h:1'
fails_on $layers "another layer's private header" src/isa/a.c '#include "num/num_int.h"\n' 'private to num'
fails_on $layers "a way round the layer's name" src/isa/a.c '#include "../chip/chip.h"\n' 'name the layer'
fails_on $layers "more of compile than templates in func" src/func/a.c \
    '#include "compile/compile.h"\n' 'may see template.h'
fails_on $layers "an unknown layer" src/misc/a.c '\n' 'is in no layer'
fails_on $layers "a private header in the public one" include/silex.h '#include "base/base.h"\n' 'public header'

fails_on $text "a long line" src/a.c "$(printf 'x%.0s' {1..130})\n" 'columns'
fails_on $text "a tab" src/a.c 'a\tb\n' 'a tab'
fails_on $text "a blank at the end" docs/a.md 'text \n' 'blanks at the end'
fails_on $text "a missing newline" docs/a.md 'text' 'no newline'
fails_on $text "a character outside ASCII" src/a.h '/* \303\251 */\n' 'outside ASCII'
fails_on $text "a note for later" src/a.c "/* TO""DO: more */\n" 'do it or leave it'
fails_on $text "a machine's path" src/a.c "open(\"/wo""rk/x\")\n" 'path of one machine'

# The counter itself: a failing case, a crash and an empty program must each turn the sum red.
counts() { # counts NAME SCRIPT LAST-LINE
    printf '%s\n' "$2" >"$work/case.sh"
    last=$(tools/run-tests "$work/case.sh" | tail -1)
    [ "$last" = "$3" ]
    report $? "run-tests: $1"
}
counts "sums passed and skipped" 'echo "ok 1 - a"; echo "ok 2 - b # SKIP no model"' '1 passed, 0 failed, 1 skipped'
counts "sees a failing case" 'echo "ok 1 - a"; echo "not ok 2 - b"; exit 1' '1 passed, 1 failed, 0 skipped'
counts "sees a crash" 'echo "ok 1 - a"; kill -SEGV $$' '1 passed, 1 failed, 0 skipped'
counts "refuses a program without cases" 'true' '0 passed, 1 failed, 0 skipped'
counts "misses planned cases" 'echo 1..3; echo "ok 1 - a"' '1 passed, 2 failed, 0 skipped'
counts "reads cmocka's failures" 'echo "[==========] Running 2 test(s)."; echo "[ RUN      ] a"
echo "[       OK ] a"; echo "[ RUN      ] b"; echo "[  FAILED  ] b"; echo "[==========] 2 test(s) run."
echo "[  PASSED  ] 1 test(s)."; echo "[  FAILED  ] 1 test(s), listed below:"; echo "[  FAILED  ] b"; exit 1' \
    '1 passed, 1 failed, 0 skipped'
counts "reads cmocka cut short" 'echo "[==========] Running 2 test(s)."; echo "[ RUN      ] a"
echo "[       OK ] a"; echo "[ RUN      ] b"; exit 139' '1 passed, 1 failed, 0 skipped'
echo "1..$n"
