# SPDX-License-Identifier: Apache-2.0
"""One QEMU, without KVM: a kernel, an initramfs, two serial ports and a port to end by."""
import os
import selectors
import subprocess
import tempfile
import time
from dataclasses import dataclass

# The clock is the HPET: a TSC that is calibrated while the host is busy can run 40 times too fast.
# Neither self tests of the kernel's ciphers nor mitigations are what is tested; together they are
# half of the time to boot.
_ARGUMENTS = ("console=ttyS0 loglevel=5 panic=-1 oops=panic clocksource=hpet no_timer_check tsc=unstable "
              "random.trust_cpu=on cryptomgr.notests=1 mitigations=off nokaslr")
# QEMU 7.2 makes 6.12 fault at cmpxchg16b: cx16=off.
_CPU = "qemu64,+rdrand,cx16=off"
_EXIT_PORT = "0xf4"  # vmtest/guest/console.cc
_SILENCE_S = 300     # of a machine that nobody expects to come back
_MEMORY = "512M"


@dataclass
class Outcome:
    status: int  # of QEMU; -1 when it was killed
    report: str  # what came over the second serial port
    console: str
    seconds: float
    why: str = ""  # why it was killed


def arguments(image, initramfs, console, icount=False, shell=False, memory=_MEMORY):
    """The command line of QEMU. The report comes over its standard output."""
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-machine", "pc", "-accel", "tcg", "-cpu", _CPU, "-smp", "1",
            "-m", memory, "-kernel", str(image), "-initrd", str(initramfs),
            "-append", _ARGUMENTS,
            "-chardev", f"file,id=console,path={console}", "-serial", "chardev:console",
            "-chardev", f"stdio,id=report,signal={'on' if shell else 'off'}",
            "-serial", "chardev:report",
            "-device", f"isa-debug-exit,iobase={_EXIT_PORT},iosize=1"]
    if icount:
        # Time is the number of instructions: two runs of the same image give the same figures.
        argv += ["-icount", "shift=0,sleep=off"]
    return argv


def boot(image, segments, folder, deadline_s, shell=False, **options):
    """Runs a machine to its end. `segments` are the parts of the initramfs, as bytes or paths;
    logs are left in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    console = folder / "console.log"
    console.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(prefix="tortie-vm-") as initramfs:
        for segment in segments:
            initramfs.write(segment if isinstance(segment, bytes) else segment.read_bytes())
        initramfs.flush()
        argv = arguments(image, initramfs.name, console, shell=shell, **options)
        started = time.monotonic()
        with open(folder / "qemu.log", "w", encoding="utf-8") as messages:
            child = subprocess.Popen(argv, stdin=None if shell else subprocess.DEVNULL,
                                     stdout=None if shell else subprocess.PIPE,
                                     stderr=messages)
        try:
            report, why = (b"", "")
            if not shell:
                with open(folder / "report.log", "wb") as log:
                    report, why = _listen(child, started + deadline_s, log)
            status = child.wait()
        finally:
            child.kill()
            child.wait()
    text = report.decode("utf-8", "replace").replace("\r\n", "\n")
    return Outcome(-1 if why else status, text, _text_of(console), time.monotonic() - started, why)


def _listen(child, deadline, log):
    """What the child writes, also to the log at once, and why it was killed if it was."""
    report = bytearray()
    output = child.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        heard = time.monotonic()
        while True:
            now = time.monotonic()
            why = ("its deadline is over" if now > deadline
                   else f"silent for {_SILENCE_S} s" if now > heard + _SILENCE_S else "")
            if why:
                child.kill()
                return report, why
            if not selector.select(timeout=1):
                continue
            data = os.read(output, 1 << 16)
            if not data:
                return report, ""
            report += data
            log.write(data)
            log.flush()
            heard = time.monotonic()


def _text_of(path):
    try:
        return path.read_bytes().decode("utf-8", "replace").replace("\r", "")
    except OSError:
        return ""
