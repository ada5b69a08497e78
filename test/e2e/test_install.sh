#!/usr/bin/env bash
# An installed silex finds its chips without the source tree's help, and uninstall leaves nothing behind.
cd "$(dirname "$0")/../.." || exit 1
build=${SLX_BUILD:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ ! -x "$build/silex" ]; then
    echo "ok 1 - install # SKIP $build/silex is not built"
    exit 0
fi
n=0
report() {
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
top=$work/usr/local

make --no-print-directory BUILD="$build" DESTDIR="$work" PREFIX=/usr/local install >"$work/log" 2>&1
report $? "make install"
cmp -s chips/silex-1.yaml "$top/share/silex/chips/silex-1.yaml"
report $? "chip files are installed"
cmp -s cases/bernstein-2023.yaml "$top/share/silex/cases/bernstein-2023.yaml"
report $? "cases are installed"

# A chip that only the installed folder has: the source tree cannot have answered.
cp "$top/share/silex/chips/silex-1.yaml" "$top/share/silex/chips/only-here.yaml"
(cd / && SILEX_HOME=$top/share/silex "$top/bin/silex" chip only-here) >"$work/out" 2>&1
report $? "finds a chip by its bare name under SILEX_HOME"
(cd / && "$top/bin/silex" chip only-her) >"$work/out" 2>&1
[ $? -eq 2 ] && grep -q 'only-her' "$work/out"
report $? "an unknown name is wrong input, exit 2"

rm "$top/share/silex/chips/only-here.yaml"
make --no-print-directory BUILD="$build" DESTDIR="$work" PREFIX=/usr/local uninstall >"$work/log" 2>&1
[ -z "$(find "$work/usr" -type f)" ]
report $? "uninstall leaves no file"
echo "1..$n"
