"""Becomes a program to which one system call is forbidden: forbid.py NUMBER PROGRAM [ARGUMENT...]

The call gives EPERM, as a container's profile makes it. The filter is four instructions of classic
BPF (seccomp(2)): load the call's number, compare it, refuse or allow.
"""

import ctypes
import os
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_MODE_FILTER = 2
ALLOW, REFUSE_WITH_EPERM = 0x7FFF0000, 0x00050001
LOAD_NUMBER, SKIP_UNLESS_EQUAL, RETURN = 0x20, 0x15, 0x06


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def main():
    instructions = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in [
            (LOAD_NUMBER, 0, 0, 0),
            (SKIP_UNLESS_EQUAL, 0, 1, int(sys.argv[1])),
            (RETURN, 0, 0, REFUSE_WITH_EPERM),
            (RETURN, 0, 0, ALLOW),
        ]
    )
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(4, instructions)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        sys.exit(f"no_new_privs: {os.strerror(ctypes.get_errno())}")
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
