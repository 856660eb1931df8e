#!/usr/bin/env bash
# Installs VERSION of owoxhook, unless a cache brought it, and adds it to PATH.
# VERSION=source builds this checkout. The runner sets RUNNER_OS, RUNNER_ARCH,
# RUNNER_TEMP, GITHUB_PATH and GITHUB_OUTPUT.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=$RUNNER_TEMP/owoxhook
mkdir -p "$to"

system=$(tr '[:upper:]' '[:lower:]' <<<"$RUNNER_OS")
arch=amd64
[ "$RUNNER_ARCH" != ARM64 ] || arch=arm64
program=owoxhook archive=tar.gz
case $system in
macos) system=darwin ;;
windows) program=owoxhook.exe archive=zip ;;
esac

if [ "$VERSION" = source ]; then
	(cd "$here/../../.." && CGO_ENABLED=0 go build -o "$to/$program" .)
elif [ ! -x "$to/$program" ]; then
	name=owoxhook_${VERSION}_${system}_${arch}.$archive
	cd "$to"
	gh release download "v$VERSION" --repo owoxhook/owoxhook --pattern "$name" --pattern checksums.txt --clobber
	grep -F "  $name" checksums.txt | if command -v sha256sum >/dev/null; then sha256sum --check; else shasum -a 256 --check; fi
	if [ "$archive" = zip ]; then unzip -oq "$name" "$program"; else tar -xzf "$name" "$program"; fi
	rm "$name" checksums.txt
fi

echo "$to" >>"$GITHUB_PATH"
version=$("$to/$program" version)
echo "version=$version" >>"$GITHUB_OUTPUT"
echo "::add-matcher::$here/matcher.json"
echo "$version"
