# tortie_plugin(<name> [TARGET <target>] SOURCES <file>... LIBS <target>...): plugins/<name>/main.cc
# becomes the executable <name> in build/<preset>/bin; everything else becomes the library
# plugin_<name>, so that tests and fuzzers link what ships. TARGET is for a plugin whose name is a
# layer's, too.
function(tortie_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TARGET" "SOURCES;LIBS")
  string(REPLACE "-" "_" lib "plugin_${name}")
  add_library(${lib} STATIC ${arg_SOURCES})
  add_library(tortie::${lib} ALIAS ${lib})
  target_include_directories(${lib} PUBLIC "${PROJECT_SOURCE_DIR}/plugins")
  target_link_libraries(${lib} PUBLIC ${arg_LIBS} PRIVATE tortie::warnings tortie::hardened)

  if(NOT arg_TARGET)
    set(arg_TARGET ${name})
  endif()
  add_executable(${arg_TARGET} main.cc)
  set_target_properties(${arg_TARGET} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  target_link_libraries(${arg_TARGET} PRIVATE tortie::${lib} tortie::warnings tortie::hardened)
endfunction()
