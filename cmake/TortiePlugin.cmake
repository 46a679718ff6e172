# tortie_plugin(<name> SOURCES <file>... LIBS <target>...): plugins/<name>/main.cc becomes the
# executable <name> in build/<preset>/bin; everything else becomes the library plugin_<name>, so
# that tests and fuzzers link what ships.
function(tortie_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
  string(REPLACE "-" "_" lib "plugin_${name}")
  add_library(${lib} STATIC ${arg_SOURCES})
  add_library(tortie::${lib} ALIAS ${lib})
  target_include_directories(${lib} PUBLIC "${PROJECT_SOURCE_DIR}/plugins")
  target_link_libraries(${lib} PUBLIC ${arg_LIBS} PRIVATE tortie::warnings tortie::hardened)

  add_executable(${name} main.cc)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  target_link_libraries(${name} PRIVATE tortie::${lib} tortie::warnings tortie::hardened)
endfunction()
