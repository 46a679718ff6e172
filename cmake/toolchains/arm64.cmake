# Cross build for arm64 by Debian's g++-aarch64-linux-gnu. Libraries and their headers are those of
# the arm64 packages that `scripts/image sysroot` has unpacked below build/sysroot.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
get_filename_component(TORTIE_SYSROOT "${CMAKE_CURRENT_LIST_DIR}/../../build/sysroot/arm64" ABSOLUTE)
set(CMAKE_SYSROOT "${TORTIE_SYSROOT}")
# The compiler brings a C library of its own; the sysroot's, with its security fixes, goes first.
set(CMAKE_EXE_LINKER_FLAGS_INIT
  "-B${TORTIE_SYSROOT}/usr/lib/aarch64-linux-gnu -L${TORTIE_SYSROOT}/usr/lib/aarch64-linux-gnu")
# The sysroot has no shared libraries: a dynamic program, which CMake tries, cannot be linked.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
