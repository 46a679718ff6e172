# tortie::hardened: how what ships is compiled and linked, fully static. tests/check/elf.py
# looks at the result; the list with its reasons is in docs/building.md.
#
# -fzero-call-used-regs and the trivial-auto-var-init switch are g++ 12's; clang builds only tests.
option(TORTIE_SYMBOLS "leave the symbol table in what ships, for the image dev" OFF)
option(TORTIE_HARDENED "compile and link for release: static-pie, hardened" OFF)

add_library(tortie_hardened INTERFACE)
add_library(tortie::hardened ALIAS tortie_hardened)
if(TORTIE_HARDENED)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  set(TORTIE_MAPS "${PROJECT_BINARY_DIR}/map")
  file(MAKE_DIRECTORY "${TORTIE_MAPS}")
  target_compile_options(tortie_hardened INTERFACE
    -O2 -fPIE -ffunction-sections -fdata-sections -fvisibility=hidden
    -fstack-protector-strong -fstack-clash-protection
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS
    -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr
    -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing
    "-ffile-prefix-map=${PROJECT_SOURCE_DIR}=."
    $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>:-fcf-protection=full>
    $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},aarch64>:-mbranch-protection=standard>)
  target_link_options(tortie_hardened INTERFACE
    -static-pie $<$<NOT:$<BOOL:${TORTIE_SYMBOLS}>>:-s> -Wl,--gc-sections
    -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
    # What was linked, by archive: the bill of materials of the images is made from it.
    "-Wl,-Map=${TORTIE_MAPS}/$<TARGET_PROPERTY:OUTPUT_NAME>.map"
    # libcrypto's relocations, packed: half a megabyte of calico. glibc 2.36 applies them.
    $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>:-Wl,-z,pack-relative-relocs>)
endif()

# tortie_optimize_size(<file>...): sources of this folder that run rarely, where size counts and
# speed does not. A source's own options come behind -O2.
function(tortie_optimize_size)
  if(TORTIE_HARDENED)
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -Os)
  endif()
endfunction()
