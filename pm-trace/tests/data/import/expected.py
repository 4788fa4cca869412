#!/usr/bin/env python3
"""Prints what sleepgraph's HTML says of each device: phase, name, driver, milliseconds, tab-separated and sorted.

    expected.py HOST_mem.html > NAME.tsv

A device's box has a title like "QEMU HARDDISK [0:0:0:0] {sd} (async) (9.263 ms) suspend". Boxes without a driver in
braces are functions of the kernel, and are left out, as are a few devices without driver, bus and class.
"""

import html
import re
import sys

BOX = re.compile(r'<div id="[^"]*" title="(?P<title>[^"]*)" class="thread')
DEVICE = re.compile(r"(?P<name>.*) \{(?P<driver>.*)\}(?: \(a?sync\))? \((?P<ms>[0-9.]+) ms\) (?P<phase>\w+)$")

rows = []
for line in open(sys.argv[1], encoding="utf-8"):
    for box in BOX.finditer(line):
        device = DEVICE.match(html.unescape(box["title"]))
        if device is None:
            continue
        name = device["name"]
        if name.endswith("]"):
            name = name[name.rindex("[") + 1 : -1]
        rows.append((device["phase"], name, device["driver"], device["ms"]))
for row in sorted(rows):
    print("\t".join(row))
