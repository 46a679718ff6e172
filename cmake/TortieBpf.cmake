# tortie_bpf_object(<name> AS <class> TYPES <header>): builds <name>.bpf.c and makes the interface
# library tortie::<name>_skel, which gives C++ the class <class> in <name>.skel.h. The class is also
# what the kernel calls the object's own maps by (<class>.bss, cut to 15 characters). <header> is the
# one below shared/ that declares the types of its variables; the skeleton includes it.
#
# -mcpu=v3 (32-bit registers and jumps) is what 5.10 takes, and one instruction in a hundred less
# than v2. clang writes BTF and line information; `bpftool gen object` drops the DWARF, which
# nothing needs at run time, and keeps BTF. The object depends on every header it reads (a
# depfile), never on the kernel of the build machine: there is no generated vmlinux.h.
find_program(TORTIE_BPF_CLANG NAMES clang-14 REQUIRED)
find_program(TORTIE_BPFTOOL NAMES bpftool PATHS /usr/sbin /sbin REQUIRED)
set(TORTIE_UAPI_ARCH_DIR "${CMAKE_SYSROOT}/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}")

function(tortie_bpf_object name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "AS;TYPES" "")
  set(src "${CMAKE_CURRENT_SOURCE_DIR}/${name}.bpf.c")
  set(raw "${CMAKE_CURRENT_BINARY_DIR}/${name}.raw.o")
  set(obj "${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o")
  set(skel "${CMAKE_CURRENT_BINARY_DIR}/include/${name}.skel.h")

  add_custom_command(
    OUTPUT "${raw}"
    COMMAND "${TORTIE_BPF_CLANG}" -target bpf -mcpu=v3 -O2 -g -std=gnu11
            -Wall -Wextra -Wpadded -Werror -isystem "${TORTIE_UAPI_ARCH_DIR}"
            "-I${CMAKE_CURRENT_SOURCE_DIR}" "-ffile-prefix-map=${PROJECT_SOURCE_DIR}=."
            -MD -MF "${raw}.d" -c "${src}" -o "${raw}"
    DEPENDS "${src}"
    DEPFILE "${raw}.d"
    COMMENT "bpf  ${name}"
    VERBATIM)
  add_custom_command(
    OUTPUT "${obj}"
    COMMAND "${TORTIE_BPFTOOL}" gen object "${obj}" "${raw}"
    DEPENDS "${raw}"
    COMMENT "link ${name}"
    VERBATIM)
  file(CONFIGURE OUTPUT "${skel}.types" CONTENT "#include \"${arg_TYPES}\"\n")
  add_custom_command(
    OUTPUT "${skel}"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${CMAKE_CURRENT_BINARY_DIR}/include"
    COMMAND "${TORTIE_BPFTOOL}" gen skeleton "${obj}" name "${arg_AS}" > "${skel}.body"
    COMMAND "${CMAKE_COMMAND}" -E cat "${skel}.types" "${skel}.body" > "${skel}"
    DEPENDS "${obj}"
    COMMENT "skel ${name}"
    VERBATIM)
  add_custom_target(${name}_skel_gen DEPENDS "${skel}")

  add_library(${name}_skel INTERFACE)
  add_library(tortie::${name}_skel ALIAS ${name}_skel)
  add_dependencies(${name}_skel ${name}_skel_gen)
  target_include_directories(${name}_skel SYSTEM INTERFACE "${CMAKE_CURRENT_BINARY_DIR}/include")
  target_link_libraries(${name}_skel INTERFACE tortie::bpf tortie::bpf_shared)
endfunction()
