#!/bin/sh
# Fetches the fonts and icons under static/vendor again and writes the table of their digests.
# Needs npm; only whoever updates a version runs it. Usage: scripts/vendor.sh
set -eu

PRETENDARD=1.3.9
NANUM=5.3.0
LUCIDE=1.62.0
ICONS="
arrow-left arrow-right arrow-up-down ban bell book-open bookmark braces calendar camera check
chevron-down chevron-left chevron-right chevron-up circle-alert circle-check circle-pause
circle-question-mark circle-x clock copy cpu credit-card download ellipsis external-link eye eye-off
file-text filter fingerprint flag gift globe hash heart history house image info key-round
languages library link list loader-circle lock lock-open log-in log-out mail menu message-square minus
monitor moon package-open pencil plus printer receipt refresh-cw rotate-ccw rss search settings share-2
shield-check shopping-cart sliders-horizontal smartphone stamp star star-half store sun sun-moon server
tag trash-2 triangle-alert undo-2 upload user users wrench x
"

cd "$(dirname "$0")/../static/vendor"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

unpack() { # unpack NAME@VERSION FOLDER
  (cd "$work" && npm pack --silent "$1" >/dev/null && mkdir "$2" && tar xzf ./*.tgz -C "$2" --strip-components=1 && rm ./*.tgz)
}

unpack "pretendard@$PRETENDARD" pretendard
rm -rf pretendard && mkdir pretendard
cp "$work/pretendard/dist/LICENSE.txt" pretendard/LICENSE.txt
cp "$work/pretendard/dist/web/variable/pretendardvariable-dynamic-subset.css" pretendard/pretendard.css
cp -R "$work/pretendard/dist/web/variable/woff2-dynamic-subset" pretendard/

# Regular weight, woff2 only: the older .woff files behind each address are left out.
unpack "@fontsource/nanum-gothic-coding@$NANUM" nanum
rm -rf nanum-gothic-coding && mkdir -p nanum-gothic-coding/files
cp "$work/nanum/LICENSE" nanum-gothic-coding/LICENSE.txt
cp "$work"/nanum/files/*-400-normal.woff2 nanum-gothic-coding/files/
sed -E "s/, url\([^)]*\.woff\) format\('woff'\)//" "$work/nanum/400.css" >nanum-gothic-coding/nanum-gothic-coding.css

# One sprite; strokes and fills come from the .icon class.
unpack "lucide-static@$LUCIDE" lucide
rm -rf lucide && mkdir lucide
cp "$work/lucide/LICENSE" lucide/LICENSE.txt
{
  printf '<svg xmlns="http://www.w3.org/2000/svg"><!-- lucide-static %s, ISC licence, see LICENSE.txt -->\n' "$LUCIDE"
  for icon in $ICONS; do
    tr '\n' ' ' <"$work/lucide/icons/$icon.svg" |
      sed -E "s/<!--[^>]*-->//; s/<svg[^>]*>/<symbol id=\"$icon\" viewBox=\"0 0 24 24\">/; s/<\/svg>/<\/symbol>/; s/ +/ /g; s/> </></g; s/ \/>/\/>/g; s/^ //; s/ $//"
    printf '\n'
  done
  printf '</svg>\n'
} >lucide/icons.svg

{
  printf '# Vendored files\n\n'
  printf 'Written by `scripts/vendor.sh`; never edit the files by hand. `SHA256SUMS` in each folder names every file\n'
  printf '(`sha256sum -c SHA256SUMS`); the digest below is that list'"'"'s own.\n\n'
  printf '| name | version | licence | files | sha256 of SHA256SUMS |\n| --- | --- | --- | --- | --- |\n'
} >README.md
row() { # row FOLDER NAME VERSION LICENCE FILES
  (cd "$1" && find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs sha256sum | sed 's|  \./|  |' >SHA256SUMS)
  printf '| %s | %s | %s | %s | `%s` |\n' "$2" "$3" "$4" "$5" "$(sha256sum "$1/SHA256SUMS" | cut -d' ' -f1)" >>README.md
}
row pretendard pretendard "$PRETENDARD" OFL-1.1 '`pretendard/`: variable face in subsets, as published'
row nanum-gothic-coding '@fontsource/nanum-gothic-coding' "$NANUM" OFL-1.1 '`nanum-gothic-coding/`: regular weight, woff2'
row lucide lucide-static "$LUCIDE" ISC '`lucide/icons.svg`: a sprite of the icons in use'
