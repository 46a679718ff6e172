# SPDX-License-Identifier: Apache-2.0
"""The peak memory of a program, read when it is about to end.

What wait4(2) tells is no use here: Linux counts in what the parent had when it made the child."""
import ctypes
import os
import re

_SEIZE, _CONT, _TRACE_EXIT, _EXIT_STOP = 0x4206, 7, 0x40, (6 << 8) | 5
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request, pid, data=0):
    if _libc.ptrace(request, pid, None, data) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def peak_kib(call):
    """Runs `call`, which must read its stdin to the end, once; its children do not count."""
    stdin, ours = os.pipe()
    pid = call.start(stdin)  # it stands at its stdin until it is traced
    os.close(stdin)
    _ptrace(_SEIZE, pid, _TRACE_EXIT)
    os.write(ours, call.config)
    os.close(ours)
    peak = 0
    while True:
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            return peak
        signal = os.WSTOPSIG(status)
        if status >> 8 == _EXIT_STOP:
            with open(f"/proc/{pid}/status") as file:
                peak = int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))
            signal = 0
        _ptrace(_CONT, pid, signal)
