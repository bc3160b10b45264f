"""Describes the machine and the versions in one line."""

import os
import platform
import re
import subprocess
from pathlib import Path


def describe(binary: str) -> str:
    cores = len(os.sched_getaffinity(0))
    parts = [f"{processor()}, {cores} cores", system(), f"Linux {platform.release()}"]
    parts += [first(["curl", "--version"], r"curl (\S+)", "curl"), first(["nginx", "-v"], r"nginx/(\S+)", "nginx"),
              package("lua5.4", "Lua"), package("simdjson", "simdjson"),
              first(["swift", "--version"], r"Swift version (\S+)", "Swift"),
              first(["g++", "--version"], r"\) (\S+)", "g++")]
    if binary:
        parts.append(first([binary, "--version"], r"(\d\S*)", "moonrill"))
    return "Machine: " + "; ".join(part for part in parts if part) + "."


def processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def system() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")


def package(name: str, title: str) -> str:
    return first(["pkg-config", "--modversion", name], r"(\S+)", title)


def first(command: list[str], pattern: str, title: str) -> str:
    path = os.environ["PATH"] + ":/usr/sbin"
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=os.environ | {"PATH": path})
    except OSError:
        return ""
    found = re.search(pattern, done.stdout)
    return f"{title} {found.group(1)}" if done.returncode == 0 and found else ""
