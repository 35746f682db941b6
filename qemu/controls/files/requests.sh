#!/bin/sh
# A page of metrics with a line for each path that was asked for: whoever reads it sees every request.
echo "# HELP requests Requests by path."
while read -r path count; do
  printf 'requests{path="%s"} %s\n' "$path" "$count"
done
