// SPDX-License-Identifier: Apache-2.0
#include "guest/console.h"

#include <fcntl.h>
#include <sys/io.h>
#include <sys/reboot.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/file.h"

namespace tortie::vm {
namespace {

constexpr const char *kPort = "/dev/ttyS1";
// QEMU's device isa-debug-exit, where vmtest/runner/machine.py puts it.
constexpr unsigned short kExitPort = 0xf4;

}  // namespace

Result<UniqueFd> open_report()
{
    UniqueFd port(::open(kPort, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!port.valid())
        return fail_errno(errno, std::string("open ") + kPort);
    termios settings{};
    if (::tcgetattr(port.get(), &settings) < 0)
        return fail_errno(errno, std::string("read settings of ") + kPort);
    ::cfmakeraw(&settings);
    ::cfsetspeed(&settings, B115200);
    if (::tcsetattr(port.get(), TCSANOW, &settings) < 0)
        return fail_errno(errno, std::string("set up ") + kPort);
    return port;
}

void report(const UniqueFd &port, std::string_view text)
{
    std::string line = "\n@@ ";
    line.append(text).append("\n");
    // Nobody could be told that telling failed; the host misses the line.
    const auto written = write_all(port.get(), line, kPort);
    static_cast<void>(written);
}

void allow_switch_off()
{
    // Without the right, switch_off() powers off.
    static_cast<void>(::ioperm(kExitPort, 1, 1));
}

void switch_off(const UniqueFd &port, unsigned char code)
{
    ::tcdrain(port.get());
    ::sync();
    if (::ioperm(kExitPort, 1, 1) == 0)
        ::outb(code, kExitPort);
    ::reboot(RB_POWER_OFF);
    for (;;)
        ::pause();
}

}  // namespace tortie::vm
