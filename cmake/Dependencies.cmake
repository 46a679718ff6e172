# Every third-party library becomes tortie::<dep> here and nowhere else: the rest of the tree
# never sees a library's file name, link order or include folder. A line here needs a line in
# docs/dependencies.md.
include(Hardening)

function(tortie_system_library name)
  add_library(tortie_dep_${name} INTERFACE)
  add_library(tortie::${name} ALIAS tortie_dep_${name})
  target_link_libraries(tortie_dep_${name} INTERFACE ${ARGN})
endfunction()

tortie_system_library(expected)
tortie_system_library(json)
tortie_system_library(sqlite sqlite3)
tortie_system_library(beast)
tortie_system_library(tls ssl crypto)
tortie_system_library(cares cares)
tortie_system_library(yaml yaml)
tortie_system_library(bpf bpf elf z)
