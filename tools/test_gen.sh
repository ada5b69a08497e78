#!/usr/bin/env bash
# Generated pages are committed, so that they can be read without a build; here they are made again and compared.
# A generator is tools/NAME.c: NAME DIR writes its pages into DIR. After a change of its source: make gen.
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0
for source in tools/*.c; do
    [ -e "$source" ] || continue
    name=$(basename "$source" .c)
    mkdir -p "$work/$name"
    bad=0
    "${SLX_BUILD:-build}/tools/$name" "$work/$name" || bad=1
    for page in "$work/$name"/*; do diff -u "docs/$(basename "$page")" "$page" || bad=1; done
    n=$((n + 1))
    if [ $bad = 0 ]; then echo "ok $n - $name"; else echo "not ok $n - $name: run make gen"; fi
done
[ $n -gt 0 ] || echo "ok 1 - nothing is generated"
