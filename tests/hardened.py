"""Runs a command with what a unit of systemd leaves it: `python -m tests.hardened SERVICE WRITABLE COMMAND ...`.

Where no systemd runs, this does as it would: the filter of system calls, the limits, an account that is not root, and
a file system of which one folder can be written. `unshare --user --mount --keep-caps` starts it.
"""

import ctypes
import errno
import mmap
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.integration.deploy.deployed import directives

_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC = 1, 32, 4096, 16384
_FLAGS = {"nosuid": 2, "nodev": 4, "noexec": 8, "noatime": 1024, "nodiratime": 2048, "relatime": 1 << 21}
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _CLEAR_ALL = 38, 47, 4
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_MASKED_EQUAL = 7
_ALL_BITS = 2**32 - 1
_NAMESPACES = 0x7E020080  # the flags of `clone` that make namespaces
_SHM_EXEC = 0o100000
_MEMORY = {
    "mmap": [(2, mmap.PROT_WRITE, 0), (2, mmap.PROT_EXEC, 0)],
    "mprotect": [(2, mmap.PROT_EXEC, 0)],
    "pkey_mprotect": [(2, mmap.PROT_EXEC, 0)],
    "shmat": [(2, _SHM_EXEC, 0)],
}
Rules = dict[str, list[tuple[int, int, int]]]  # which argument of a call has which value under which mask


class _Comparison(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def main() -> None:
    service, writable, *command = sys.argv[1:]
    unit = directives(service)
    libc = ctypes.CDLL(None, use_errno=True)
    if unit["ProtectSystem"] == ["strict"]:
        _make_readonly(libc, writable)
    os.umask(int(unit["UMask"][0], 8))
    for limit, name in ((resource.RLIMIT_NOFILE, "LimitNOFILE"), (resource.RLIMIT_CORE, "LimitCORE")):
        most = min(int(unit[name][0]), resource.getrlimit(limit)[1])
        resource.setrlimit(limit, (most, most))
    _check(libc.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0))
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _filter_system_calls({*_allowed(unit["SystemCallFilter"])}, _by_argument(unit))
    os.execvp(command[0], command)  # noqa: S606 - this process becomes the command, as it does below systemd


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _make_readonly(libc: ctypes.CDLL, writable: str) -> None:
    _check(libc.mount(writable.encode(), writable.encode(), None, _MS_BIND | _MS_REC, None))
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        target, options = line.split()[4:6]
        target = target.encode().decode("unicode_escape")
        if target == writable or target.startswith(("/proc", "/sys", "/dev")):
            continue
        kept = sum(_FLAGS.get(option, 0) for option in options.split(","))
        _check(libc.mount(None, target.encode(), None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | kept, None))


def _allowed(filters: list[str]) -> Iterator[str]:
    names = {*_members("@default")}
    for words in filters:
        listed = {name for word in words.removeprefix("~").split() for name in _members(word)}
        names = names - listed if words.startswith("~") else names | listed
    yield from names


def _members(name: str) -> Iterator[str]:
    if not name.startswith("@"):
        yield name
        return
    said = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    for line in said.stdout.splitlines()[1:]:
        if not line.strip().startswith("#"):
            yield from _members(line.strip())


def _by_argument(unit: dict[str, list[str]]) -> Rules:
    """The calls that a unit allows for some values of their arguments alone."""
    rules: Rules = {}
    for families in unit.get("RestrictAddressFamilies", []):
        rules["socket"] = [(0, _ALL_BITS, getattr(socket, family)) for family in families.split()]
    if unit.get("MemoryDenyWriteExecute") == ["yes"]:
        rules |= _MEMORY
    if unit.get("RestrictNamespaces") == ["yes"]:
        rules |= {"clone": [(0, _NAMESPACES, 0)], "unshare": [], "setns": []}
    return rules


def _filter_system_calls(names: set[str], by_argument: Rules) -> None:
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    filters = ctypes.c_void_p(seccomp.seccomp_init(_ERRNO | errno.EPERM))

    def add(action: int, name: str, *comparisons: _Comparison) -> None:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # of another architecture
        array = (_Comparison * len(comparisons))(*comparisons)
        if seccomp.seccomp_rule_add_array(filters, ctypes.c_uint32(action), number, len(comparisons), array) != 0:
            raise OSError(name)

    # libc falls back to `clone`, whose flags can be looked at.
    add(_ERRNO | errno.ENOSYS, "clone3")
    for name in names - {"clone3"}:
        for argument, mask, value in by_argument.get(name, ()):
            add(_ALLOW, name, _Comparison(argument, _MASKED_EQUAL, mask, value))
        if name not in by_argument:
            add(_ALLOW, name)
    if seccomp.seccomp_load(filters) != 0:
        raise OSError(errno.EPERM, "the filter of system calls was not taken")


if __name__ == "__main__":
    main()
